import { describe, expect, test } from 'vitest';
import { hostScript } from '../../server/core/host-script.ts';
import { ipxeUrl } from '../../server/core/ipxe-values.ts';
import { parseMac } from '../../server/core/mac.ts';

function known<T>(value: T | null): T {
  if (value === null) throw new Error('refused');
  return value;
}
const base = { bootUrl: known(ipxeUrl('http://10.0.0.1:8080')), installerArguments: 'console=ttyS0' };
const mac = known(parseMac('52:54:00:00:00:01'));
const reason = 'debian-13 is to be installed';

const firstLines = (text: string) => text.split('\n').slice(0, 4).join('\n');

describe('a host gets', () => {
  test.each([
    ['disk', '# Warmboot: disk\necho Warmboot: booting the disk: debian-13 is to be installed'],
    ['installer', '# Warmboot: installer\necho Warmboot: installing'],
    ['discovery', '# Warmboot: discovery\necho Warmboot: this machine has no order'],
  ] as const)('%s', (kind, lines) => {
    const script = hostScript(base, mac, { kind, reason, append: '' });
    expect(firstLines(script)).toContain(`#!ipxe\n${lines}`);
  });
});

describe('an architecture', () => {
  const scriptFor = (kind: 'disk' | 'installer' | 'discovery', buildarch: string) =>
    hostScript(base, mac, { kind, reason, append: '' }, buildarch);

  test.each(['', 'i386', 'x86_64'])('%j has an installer', (buildarch) => {
    expect(scriptFor('installer', buildarch)).toContain('/boot/installer/vmlinuz');
    expect(scriptFor('discovery', buildarch)).toContain('/boot/installer/vmlinuz');
  });
  test.each(['arm64', 'arm32', 'riscv64', 'x86_64 || reboot'])('%j has none', (buildarch) => {
    for (const kind of ['installer', 'discovery'] as const) {
      const script = scriptFor(kind, buildarch);
      expect(script).not.toContain('vmlinuz');
      expect(script).not.toContain('|| reboot');
      expect(script).toMatch(/there is no installer for \S+.*, so this machine can only boot its own disk/);
    }
  });
  test('boots its disk as any other', () => {
    expect(scriptFor('disk', 'arm64')).toBe(scriptFor('disk', 'x86_64'));
  });
});

const kernelLine = (append: string) =>
  hostScript(base, mac, { kind: 'installer', reason, append })
    .split('\n')
    .find((line) => line.includes('/boot/installer/vmlinuz initrd='));

describe('kernel arguments of the installer', () => {
  test('are the server’s when the host has none', () => {
    expect(kernelLine('')).toContain(`initrd=initrd.magic warmboot.mac=${mac} panic=30 console=ttyS0 &&`);
  });
  test('are the host’s own when it has some', () => {
    expect(kernelLine('console=hvc0 quiet')).toContain(`warmboot.mac=${mac} panic=30 console=hvc0 quiet &&`);
  });
  test('are left out when they could become code', () => {
    const line = kernelLine('quiet || reboot');
    expect(line).toContain(`warmboot.mac=${mac} panic=30 &&`);
    expect(line).not.toContain('reboot');
  });
});

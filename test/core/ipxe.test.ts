import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nbpFor, neededNbps } from '../../server/core/client-architecture.ts';
import {
  autoexecScript,
  discoveryScript,
  diskScript,
  entryScript,
  installerScript,
  noInstallerScript,
} from '../../server/core/ipxe.ts';
import { ipxeSafe, ipxeText, ipxeUrl } from '../../server/core/ipxe-values.ts';
import { parseMac } from '../../server/core/mac.ts';
import { runIpxe } from './run-ipxe.ts';

function known<T>(value: T | null): T {
  if (value === null) throw new Error('refused');
  return value;
}
const bootUrl = known(ipxeUrl('http://10.0.0.1:8080'));
const mac = known(parseMac('52:54:00:00:00:01'));
const args = known(ipxeSafe('console=tty0 console=ttyS0,115200n8'));

const SCRIPTS = {
  entry: entryScript({ bootUrl }),
  autoexec: autoexecScript({ bootUrl }),
  installer: installerScript({ bootUrl, mac, args, reason: 'debian-13 is to be installed' }),
  discovery: discoveryScript({ bootUrl, mac, reason: 'no host has this MAC' }),
  disk: diskScript({ reason: 'debian-13 is installed' }),
  'no-installer': noInstallerScript({ architecture: 'arm64', reason: 'this machine is not known' }),
};

describe.each(Object.entries(SCRIPTS))('%s', (name, script) => {
  test('is as recorded', async () => {
    const golden = join(import.meta.dirname, `../golden/ipxe/${name}.ipxe`);
    await expect(script).toMatchFileSnapshot(golden);
  });

  test('starts as iPXE wants it', () => {
    expect(script.startsWith('#!ipxe\n')).toBe(true);
  });

  test('every label exists once, every label gone to exists', () => {
    const labels = [...script.matchAll(/^:(\S+)$/gm)].map(([, label]) => label);
    expect(new Set(labels).size).toBe(labels.length);
    for (const [, label] of script.matchAll(/goto (\S+)/g)) expect(labels).toContain(label);
  });

  test.each(['pcbios', 'efi'])('ends at the disk within 200 s if nothing works, on %s', (platform) => {
    const { end, ms, ran } = runIpxe(script, { settings: { platform }, succeeds: () => false });
    expect(end).toBe('exit 1');
    expect(ms).toBeLessThanOrEqual(200_000);
    const disks = ran.filter((command) => command.startsWith('sanboot'));
    expect(disks).toHaveLength(platform === 'efi' ? 1 : 8);
  });

  test('ends in a kernel, another script, a disk, or the firmware, whatever works and what does not', () => {
    const outcomes = fc.array(fc.boolean(), { minLength: 1, maxLength: 60 });
    const world = fc.record({ platform: fc.constantFrom('pcbios', 'efi'), outcomes });
    fc.assert(
      fc.property(world, ({ platform, outcomes }) => {
        let asked = 0;
        const succeeds = () => outcomes[asked++ % outcomes.length] ?? false;
        const { end } = runIpxe(script, { settings: { platform }, succeeds });
        expect(end).toMatch(/^(boot|chain --replace .*|sanboot --no-describe .*|exit 1)$/);
      }),
    );
  });
});

describe('the bounds that ipxe/README.md names', () => {
  const nothing = () => false;
  test('entry script: 101 s', () => {
    expect(runIpxe(SCRIPTS.entry, { succeeds: nothing }).ms).toBe(101_000);
  });
  test('a file of the installer: 175 s', () => {
    const succeeds = (command: string) => command === 'cpuid';
    expect(runIpxe(SCRIPTS.installer, { succeeds }).ms).toBe(175_000);
  });
});

describe('boot your disk on BIOS', () => {
  const drives = (settings: Record<string, string>, works?: string) => {
    const succeeds = (command: string, words: readonly string[]) =>
      command === 'sanboot' && words.at(-1) === works;
    return runIpxe(SCRIPTS.disk, { settings: { platform: 'pcbios', ...settings }, succeeds });
  };
  test('takes the first that boots, in the order of the BIOS', () => {
    expect(drives({}, '131').end).toBe('sanboot --no-describe --drive 131');
    expect(
      drives({})
        .ran.filter((command) => command.startsWith('sanboot'))
        .join(),
    ).toMatch(/128,.*135$/);
  });
  test('begins where it is told to: iPXE from a stick is disk 0x80 itself', () => {
    expect(drives({ 'first-drive': '0x81' }, '129').end).toBe('sanboot --no-describe --drive 129');
  });
  test('what is no number does not keep it from the disks', () => {
    expect(drives({ 'first-drive': 'x' }, '128').end).toBe('sanboot --no-describe --drive 128');
  });
});

describe('the processor', () => {
  const started = (cpuid: (words: readonly string[]) => boolean) =>
    runIpxe(SCRIPTS.installer, {
      settings: { platform: 'pcbios' },
      succeeds: (command, words) =>
        command === 'cpuid' ? cpuid(words) : ['kernel', 'initrd', 'boot'].includes(command),
    });
  test('of 64 bits goes on', () => {
    expect(started(() => true).end).toBe('boot');
  });
  test('of 32 bits is told why, and gets its disk', () => {
    const { end, said } = started((words) => !words.includes('29'));
    expect(said.join('\n')).toContain("this machine's processor is a 32-bit one");
    expect(end).toBe('exit 1');
  });
  test('of an iPXE without the command goes on', () => {
    expect(started(() => false).end).toBe('boot');
  });
});

describe('what comes from outside', () => {
  test.each(['a\nb', 'a || reboot', 'a && b', '$' + '{x}', '"', "'", '\\', 'é', 'a;b', '\0', '`', 'x\n'])(
    '%j is no kernel argument',
    (value) => expect(ipxeSafe(value)).toBeNull(),
  );

  test.each([
    'ftp://x',
    'http://',
    'http://a b',
    'http://a/?x=1',
    'http://u@h',
    'http://h/\n',
    'http://h:port',
    'http://h/$' + '{x}',
    `http://${'h'.repeat(300)}`,
  ])('%j is no address of a server', (value) => expect(ipxeUrl(value)).toBeNull());

  test.each([
    ['http://boot.example:8080/', 'http://boot.example:8080'],
    ['https://10.0.0.1', 'https://10.0.0.1'],
    ['http://[fd00::1]:8080', 'http://[fd00::1]:8080'],
    ['http://cdn.example/warm/boot/', 'http://cdn.example/warm/boot'],
  ])('%s is one', (value, expected) => expect(ipxeUrl(value)).toBe(expected));

  test('no reason, whatever is in it, adds a line, an operator or an expansion', () => {
    const shape = (script: string): string[] => script.split('\n').map((line) => line.split(' ', 1)[0] ?? '');
    const plain = shape(diskScript({ reason: 'x' }));
    const nasty = fc.array(
      fc.constantFrom('\n', '\r', '||', '&&', '$', '{', '}', '#!ipxe', ' ', 'é', "'", 'reboot'),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          nasty.map((parts) => parts.join('')),
        ),
        (reason) => {
          const script = diskScript({ reason });
          expect(shape(script)).toEqual(plain);
          expect(ipxeText(reason)).toMatch(/^[ -~]{0,160}$/);
          expect(ipxeText(reason)).not.toMatch(/[|&$\\{}'"`;#]/);
        },
      ),
    );
  });

  test('what ipxeSafe lets through cannot be anything but words', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        if (ipxeSafe(value) !== null) expect(value).toMatch(/^[ -~]*$/);
        if (ipxeSafe(value) !== null) expect(value).not.toMatch(/[|&$\\{}'"`;#\n]/);
      }),
    );
  });
});

describe('client architectures (DHCP option 93)', () => {
  test.each([
    [0, 'undionly.kpxe', 'tftp'],
    [7, 'ipxe.efi', 'tftp'],
    [9, 'ipxe.efi', 'tftp'],
    [11, 'ipxe-arm64.efi', 'tftp'],
    [16, 'ipxe.efi', 'http'],
    [19, 'ipxe-arm64.efi', 'http'],
  ])('%i gets %s by %s', (architecture, name, transport) => {
    expect(nbpFor(architecture)).toMatchObject({ name, transport });
  });

  test.each([6, 15, 2, 999])('%i is refused with a reason', (architecture) => {
    expect(nbpFor(architecture)).toHaveProperty('refused');
  });

  test('what a server needs', () => {
    expect(neededNbps()).toEqual(['undionly.kpxe', 'ipxe.efi', 'ipxe-arm64.efi']);
  });
});

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
} from '../../server/core/ipxe.ts';
import { ipxeSafe, ipxeText, ipxeUrl } from '../../server/core/ipxe-values.ts';
import { parseMac } from '../../server/core/mac.ts';

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
};

describe.each(Object.entries(SCRIPTS))('%s', (name, script) => {
  test('is as recorded', async () => {
    const golden = join(import.meta.dirname, `../golden/ipxe/${name}.ipxe`);
    await expect(script).toMatchFileSnapshot(golden);
  });

  test('starts as iPXE wants it and ends at the disk', () => {
    expect(script.startsWith('#!ipxe\n')).toBe(true);
    expect(script).toMatch(/sanboot --no-describe --drive 0x80 \|\|\n(.*\n)*exit 1\n$/);
  });

  test('every label exists once, every label gone to exists', () => {
    const labels = [...script.matchAll(/^:(\S+)$/gm)].map(([, label]) => label);
    expect(new Set(labels).size).toBe(labels.length);
    for (const [, label] of script.matchAll(/goto (\S+)/g)) expect(labels).toContain(label);
  });

  test('no command can end the script by failing, but the last exit', () => {
    const harmless = /^(#|:|echo|set |inc |goto |imgfree$|exit 1$|$)/;
    for (const line of script.split('\n')) {
      if (!harmless.test(line)) expect(line, line).toMatch(/ \|\|$| \|\| goto \S+$/);
    }
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
  }, 60_000);

  test('what ipxeSafe lets through cannot be anything but words', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        if (ipxeSafe(value) !== null) expect(value).toMatch(/^[ -~]*$/);
        if (ipxeSafe(value) !== null) expect(value).not.toMatch(/[|&$\\{}'"`;#\n]/);
      }),
    );
  }, 60_000);
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

import { expect, test } from 'vitest';
import { bootFiles } from '../../server/tftp/boot-files.ts';
import { fileOf, type TftpFiles, type TftpRequester } from '../../server/tftp/files.ts';
import { decode } from '../../server/tftp/packet.ts';

const FIRMWARE: TftpRequester = { address: '192.0.2.1', port: 2000, options: [['blksize', '1456']] };

function served() {
  const loops: object[] = [];
  const clock = { ms: 0 };
  const nbps: TftpFiles = async (name) =>
    name === 'undionly.kpxe' || name === 'ipxe.efi'
      ? fileOf(`the program ${name}`)
      : { refused: 'none', code: 1 };
  const files = bootFiles({
    nbps,
    autoexec: 'autoexec script',
    entry: 'entry script',
    hostScript: async (mac) => `script of ${mac}`,
    nowMs: () => clock.ms,
    onLoop: (fields) => loops.push(fields),
  });
  const get = async (name: string, from = FIRMWARE) => {
    const answer = await files(name, from);
    if (answer === null || 'refused' in answer) return answer;
    return (await answer.read(0, answer.bytes)).toString();
  };
  return { get, loops, clock };
}

test.each([
  ['undionly.kpxe', 'the program undionly.kpxe'],
  ['nbp/ipxe.efi', 'the program ipxe.efi'],
  ['autoexec.ipxe', 'autoexec script'],
  ['nbp/autoexec.ipxe', 'autoexec script'],
  ['boot.ipxe', 'entry script'],
  ['boot/52-54-00-12-34-56.ipxe', 'script of 52:54:00:12:34:56'],
  ['boot/52:54:00:AB:cd:ef.ipxe', 'script of 52:54:00:ab:cd:ef'],
])('%s is %s', async (name, content) => expect(await served().get(name)).toBe(content));

test.each([
  ['../secret', '..'],
  ['boot/../../secret', '..'],
  ['/usr/lib/ipxe/ipxe.efi', 'absolute'],
  ['/boot/52-54-00-12-34-56.ipxe', 'absolute'],
  ['//ipxe.efi', 'absolute'],
  ['nbp//ipxe.efi', '//'],
  ['..\\secret', '\\'],
  ['\\ipxe.efi', '\\'],
  ['ipxe\0.efi', 'ASCII'],
  ['ipxé.efi', 'ASCII'],
  ['x'.repeat(300), 'longer'],
  ['', 'empty'],
])('%j is refused, and the text says why', async (name, why) =>
  expect(await served().get(name)).toMatchObject({ refused: expect.stringContaining(why), code: 2 }),
);

test.each(['boot/.ipxe', 'boot/nobody.ipxe', 'boot/01-00-5e-00-00-01.ipxe', 'boot/52-54-00-12-34-56/x.ipxe'])(
  '%s: the text says how a host is named',
  async (name) =>
    expect(await served().get(name)).toMatchObject({
      refused: expect.stringContaining('boot/52-54-00-12-34-56.ipxe'),
      code: 1,
    }),
);

test('boot/ without a script is asked of the programs', async () =>
  expect(await served().get('boot/undionly.kpxe')).toEqual({ refused: 'none', code: 1 }));

/** What undionly.kpxe of Debian's ipxe 1.21.1 sends when DHCP names undionly.kpxe once more, as seen on the wire. */
function recordedRequest(name: string, port: number): [string, TftpRequester] {
  const datagram = Buffer.from(`\0\x01${name}\0octet\0blksize\x001432\0tsize\x000\0`, 'latin1');
  const packet = decode(datagram);
  if (packet.kind !== 'read') throw new Error('no request');
  return [packet.name, { address: '192.0.2.1', port, options: packet.options }];
}

test('a BIOS machine on a network with one file name: ROM, NBP, script, and the same at its next boot', async () => {
  const { get, loops, clock } = served();
  for (const boot of ['first', 'second']) {
    expect(await get('undionly.kpxe'), boot).toContain('program'); // the firmware's ROM
    expect(await get(...recordedRequest('undionly.kpxe', 1)), boot).toContain('program'); // a ROM might be iPXE
    clock.ms += 20_000;
    expect(await get(...recordedRequest('undionly.kpxe', 2)), boot).toBe('autoexec script');
  }
  expect(loops).toEqual(Array(2).fill({ client: '192.0.2.1', file: 'undionly.kpxe' }));
});

test('the NBP by its folder is the NBP, however often', async () => {
  const { get } = served();
  for (let port = 1; port < 5; port++)
    expect(await get(...recordedRequest('nbp/undionly.kpxe', port))).toBe('the program undionly.kpxe');
});

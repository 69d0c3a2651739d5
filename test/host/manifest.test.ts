import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { shellText } from '../../server/core/shell-text.ts';
import { HOSTILE } from '../fixtures/hostile-texts.ts';
import { FakeHost, SHELLS } from './shell.ts';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});
afterEach(() => host.remove());

const DIGEST = `sha256:${'ab'.repeat(32)}`;
const GOOD = {
  VERSION: '1',
  SERIAL: '7',
  HOST: '52:54:00:00:00:01',
  ACTION: 'none',
  IMAGE_DIGEST: DIGEST,
  SLOT: 'b',
  APPEND: 'root=PARTUUID=x rw console=ttyS0,115200n8',
  TRIAL: 'warmboot.trial=300',
};

const FILES = {
  FILES_URL: `/boot/hosts/52:54:00:00:00:01/files/${'ab'.repeat(32)}`,
  FILES_SHA256: 'ab'.repeat(32),
  FILES_BYTES: '2048',
};

describe.each(SHELLS)('in %s', (...shell) => {
  test.each(HOSTILE)('a value is taken as it is: %j', (text) => {
    host.write('m', `REASON='before'\n${shellText({ reason: text })}ACTION='none'\n`);
    const { out, status } = host.run(
      shell,
      `manifest_parse "$T/m" && printf '[%s][%s]' "$M_REASON" "$M_ACTION"`,
    );
    expect({ out, status }).toEqual({ out: `[${text.replaceAll(/[\r\n]+/g, ' ')}][none]`, status: 0 });
  });

  test('keys it does not know are left alone, and nothing of it is run', () => {
    host.write('m', `PATH='/nowhere'\nM_SLOT='z'\nNEWER='x'\nSLOT='a'\nREASON='$(touch "$T/ran")'`);
    const { out } = host.run(
      shell,
      'manifest_parse "$T/m"; echo "$M_SLOT ${NEWER:-unset}"; ls "$T" > /dev/null',
    );
    expect(out).toBe('a unset');
    expect(existsSync(host.path('ran'))).toBe(false);
  });

  test('keys that are missing are empty, also when an earlier manifest had them', () => {
    host.write('m', `ACTION='none'\n`);
    expect(host.run(shell, 'M_SLOT=old; manifest_parse "$T/m"; echo "[$M_SLOT]"').out).toBe('[]');
  });

  test.each(['SLOT=a\n', "SLOT='a\n", "SLOT='it's'\n", '<html>\n', "SLOT=''a''\n"])('refuses %j', (text) => {
    host.write('m', text);
    expect(host.run(shell, 'manifest_parse "$T/m"').status).toBe(1);
  });

  const accept = (changes: Record<string, string>, setUp = ':') => {
    host.write('m', shellText({ ...GOOD, ...changes }));
    return host.run(shell, `${setUp}; manifest_parse "$T/m" && manifest_acceptable`).status;
  };

  test('accepts a good one, and one with nothing to do', () => {
    expect(accept({})).toBe(0);
    expect(accept({ ACTION: 'switch', ATTEMPT: 'x' })).toBe(0);
    expect(accept(FILES)).toBe(0);
    expect(accept({ FILES_URL: '', FILES_SHA256: '', FILES_BYTES: '' })).toBe(0);
    expect(accept({ IMAGE_DIGEST: '', SLOT: '', APPEND: '', TRIAL: '' })).toBe(0);
  });

  test.each([
    { VERSION: '2' },
    { SERIAL: '' },
    { SERIAL: '7x' },
    { HOST: '52:54:00:00:00:99' },
    { SLOT: '../a' },
    { SLOT: 'i' },
    { IMAGE_DIGEST: 'sha256:XYZ' },
    { IMAGE_DIGEST: 'md5:ab' },
    { APPEND: "a' ; reboot" },
    { TRIAL: 'a;b' },
    { ATTEMPT: '../../x y' },
    { KERNEL_BYTES: '1+1' },
    { ...FILES, FILES_SHA256: 'ab' },
    { ...FILES, FILES_SHA256: `../${'a'.repeat(61)}` },
    { ...FILES, FILES_URL: `http://10.0.0.9/files/${FILES.FILES_SHA256}` },
    { ...FILES, FILES_URL: '/boot/hosts/x/files/other' },
    { ...FILES, FILES_URL: '' },
    { ...FILES, FILES_BYTES: '' },
    { ...FILES, FILES_BYTES: '2k' },
    { ...FILES, FILES_BYTES: '99999999' },
    { ACTION: 'wipe' },
    { ACTION: 'install', ATTEMPT: '' },
    { ACTION: 'switch', ATTEMPT: 'x', SLOT: '' },
    { ACTION: 'stage', ATTEMPT: 'x', IMAGE_DIGEST: '' },
  ])('refuses %j', (changes) => {
    expect(accept(changes)).toBe(1);
  });

  test('refuses a serial lower than one it has seen, in memory or on the state partition', () => {
    expect(accept({}, 'SERIAL_SEEN=8')).toBe(1);
    host.write('run/state/serial', '8\n');
    expect(accept({})).toBe(1);
    expect(accept({ SERIAL: '8' })).toBe(0);
  });

  test('the serials of one host say nothing of another’s that this machine is too', () => {
    const host = '52:54:00:00:00:01';
    expect(accept({}, `SERIAL_SEEN=8 SERIAL_OF=${host}`)).toBe(1);
    const other = 'SERIAL_SEEN=8 SERIAL_OF=52:54:00:00:00:02';
    expect(accept({}, other)).toBe(0);
    // Taken in, it is what this one's next is measured by.
    expect(accept({ SERIAL: '5' }, `${other} M_HOST=${host}; serial_seen 6`)).toBe(1);
  });

  test('a serial that cannot be kept is remembered: the manifest is no worse for it', () => {
    host.write('run/state/host', '52:54:00:00:00:01\n');
    host.write('run/state/serial.new/in-the-way', '');
    const { status, out } = host.run(shell, 'M_HOST=x; serial_seen 9 || exit 1; serial_last');
    expect([status, out.split('\n')[0]]).toEqual([0, '9']);
  });

  test('takes its name from any of its ports', () => {
    host.write('sys/class/net/eth1/address', '52:54:00:00:00:99\n');
    expect(accept({ HOST: '52:54:00:00:00:99' })).toBe(0);
  });

  test('takes one that names a card which it has, or by which it asks, behind a first one which it has not', () => {
    const [gone, board] = ['52:54:00:00:00:98', '52:54:00:00:00:99'];
    expect(accept({ HOST: gone, MACS: `${gone} ${board}` })).toBe(1);
    expect(accept({ HOST: gone, MACS: `${gone} 52:54:00:00:00:01` })).toBe(0);
    expect(accept({ HOST: gone, MACS: `${gone} ${board}` }, `HOST=${board}`)).toBe(0);
    // No part of a name, and no pattern, is one.
    expect(accept({ HOST: gone, MACS: `${board} *` }, 'HOST=52:54:00')).toBe(1);
    host.write('sys/class/net/eth1/address', `${board.toUpperCase()}\n`);
    expect(accept({ HOST: gone, MACS: `${gone} ${board}` })).toBe(0);
    host.write('sys/class/net/eth2/address', '\n');
    expect(accept({ HOST: gone, MACS: `${gone}  ` })).toBe(1);
  });

  test('a manifest whose signature is wrong changes nothing', () => {
    host.write('helper-verify', '7');
    host.write('body', shellText({ ...GOOD, ACTION: 'install', ATTEMPT: 'x' }));
    const { out } = host.run(shell, 'manifest_fetch 0; echo "$? [$M_ACTION] ${SERIAL_SEEN:-none}"');
    expect(out).toBe('3 [] none');
  });

  test.each([
    ['200', 0],
    ['304', 2],
    ['401', 4],
    ['503', 4],
    ['000', 1],
  ])('answers to status %s with %d', (status, result) => {
    host.write('status', status);
    host.write('body', shellText(GOOD));
    expect(host.run(shell, 'manifest_fetch 5; echo $?').out).toBe(String(result));
  });

  test.each([
    ['/boot/x', 'http://10.0.0.1:8080/boot/x'],
    ['http://mirror/x', 'http://mirror/x'],
    ['https://mirror/x', 'https://mirror/x'],
  ])('resolves %s', (url, absolute) => {
    expect(host.run(shell, `SERVER=http://10.0.0.1:8080/wb; resolve '${url}'`).out).toBe(absolute);
  });
});

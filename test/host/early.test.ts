import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hasStarted } from '../../lab/child.ts';
import { makeHelper } from '../fixtures/helper.ts';
import { fileSet, type SetFile } from './file-set.ts';
import { AGENT, FakeHost, SHELLS } from './shell.ts';

/**
 * What runs before PID 1, in a mount namespace of its own: the state partition is a folder that is bound where a mount is asked for,
 * the system's root is a folder, the helper is the real one under sanitizers.
 */

const ID = '0123456789abcdef0123456789abcdef';
const KEY = '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n';
let helper: string;
let host: FakeHost;

beforeAll(async () => {
  helper = await makeHelper('sanitized');
});
beforeEach(() => {
  host = new FakeHost();
  host.isInstalled({ slot: 'b', digest: `sha256:${'a'.repeat(64)}`, attempt: 'att-1' });
  host.write(
    'bin/mount',
    `#!/bin/sh
echo "mount $*" >> "$T/calls"
for at in "$@"; do :; done
[ ! -e "$T/no-mount" ] || exit 32
/bin/mount --bind "$T/state" "$at" && /bin/mount -o remount,ro,bind "$at"\n`,
    0o755,
  );
  host.write('bin/umount', '#!/bin/sh\necho "umount $*" >> "$T/calls"; exec /bin/umount "$@"\n', 0o755);
  host.write('state/token', 'secret of this host');
  host.write('state/host', '52:54:00:00:00:01\n');
  host.write('root/etc/machine-id', '');
  host.write('root/etc/hostname', '');
  host.write('root/etc/passwd', 'root:x:0:0::/root:/bin/sh\n');
});
afterEach(() => host.remove());

const read = (path: string) => readFileSync(host.path(path), 'utf8');
const said = () => read('kmsg');
const mode = (path: string) => statSync(host.path(path)).mode & 0o7777;

function environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: `${host.path('bin')}:${process.env.PATH ?? ''}`,
    T: host.root,
    WB_LIB: AGENT,
    WB_RUN: host.path('run/wb'),
    WB_SYS: host.path('sys'),
    WB_PROC: host.path('proc'),
    WB_KMSG: host.path('kmsg'),
    WB_ROOT: host.path('root'),
    HELPER: helper,
    ...more,
  };
}

/** In a namespace in which the mounts of the test end with it; `then` is run in it afterwards. */
function early(
  shell: readonly string[] = ['sh'],
  more: Readonly<Record<string, string>> = {},
  { first = ':', then = 'grep -c run/wb/early /proc/self/mountinfo' } = {},
) {
  const ended = spawnSync(
    'unshare',
    ['-m', 'sh', '-c', `${first}; "$@"; echo "$?"; ${then}`, 'sh', ...shell, join(AGENT, 'early')],
    { encoding: 'utf8', env: environment(more), timeout: 240_000, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const { status, stdout, stderr } = hasStarted('unshare', ended);
  return { status, out: stdout.trim().split('\n'), err: stderr };
}

function giveSet(files: readonly SetFile[], slot = 'b'): string {
  const tar = fileSet(files);
  const hex = createHash('sha256').update(tar).digest('hex');
  mkdirSync(host.path('state/files'), { recursive: true });
  host.writeBytes(`state/files/${hex}.tar`, tar);
  host.write(`state/files/slot-${slot}`, `${hex}\n`);
  return hex;
}

describe.each(SHELLS)('in %s', (...shell) => {
  test('identity and files of this slot, the state partition only to be read and unmounted again', () => {
    host.write('state/machine-id', `${ID}\n`);
    host.write('state/hostname', 'web-1\n');
    host.write('state/ssh/ssh_host_ed25519_key', KEY);
    host.write('state/ssh/ssh_host_ed25519_key.pub', 'ssh-ed25519 AAAA\n');
    giveSet([{ path: 'etc/systemd/network/10-lan.network', content: 'of b' }]);
    giveSet([{ path: 'etc/other', content: 'of a' }], 'a');
    const { out } = early(shell);
    expect(out).toEqual(['0', '0']);
    expect(read('root/etc/machine-id')).toBe(`${ID}\n`);
    expect(read('root/etc/hostname')).toBe('web-1\n');
    expect(read('root/etc/ssh/ssh_host_ed25519_key')).toBe(KEY);
    expect([
      mode('root/etc/ssh/ssh_host_ed25519_key'),
      mode('root/etc/ssh/ssh_host_ed25519_key.pub'),
    ]).toEqual([0o600, 0o644]);
    expect(mode('root/etc/ssh')).toBe(0o755);
    expect(read('root/etc/systemd/network/10-lan.network')).toBe('of b');
    expect(existsSync(host.path('root/etc/other'))).toBe(false);
    expect(read('calls')).toMatch(/^mount -t ext4 -o ro,nodev,nosuid,noexec \/dev\/sda3 .*\numount .*\n$/);
    expect(read('run/wb/labels').split('\n')).toEqual(
      expect.arrayContaining([
        '/etc/ssh',
        '/etc/ssh/ssh_host_ed25519_key',
        '/etc/systemd/network/10-lan.network',
      ]),
    );
    expect(read('run/wb/labels')).not.toContain('/etc/machine-id');
  });
});

describe('machine-id', () => {
  test('follows from the token where nothing is kept: the same on every slot, and another for another host', () => {
    early();
    const first = read('root/etc/machine-id');
    expect(first).toMatch(/^[0-9a-f]{32}\n$/);
    host.write('root/etc/machine-id', '');
    early();
    expect(read('root/etc/machine-id')).toBe(first);
    host.write('root/etc/machine-id', '');
    host.write('state/token', 'another');
    early();
    expect(read('root/etc/machine-id')).not.toBe(first);
  });

  test('of the system stays where nothing is kept, and goes where something is', () => {
    const own = 'f'.repeat(32);
    host.write('root/etc/machine-id', `${own}\n`);
    early();
    expect(read('root/etc/machine-id')).toBe(`${own}\n`);
    host.write('state/machine-id', `${ID}\n`);
    early();
    expect(read('root/etc/machine-id')).toBe(`${ID}\n`);
  });

  test.each(['', 'uninitialized\n', '0'.repeat(32), ID.toUpperCase(), `${ID}0`, '$(id)'])(
    'kept as %j is none',
    (kept) => {
      host.write('state/machine-id', kept);
      host.write('root/etc/machine-id', 'uninitialized\n');
      early();
      expect(read('root/etc/machine-id')).toMatch(/^[0-9a-f]{32}\n$/);
      expect(read('root/etc/machine-id').trim()).not.toBe(ID);
    },
  );

  test('of a composed disk, which has no token, is left to systemd', () => {
    rmSync(host.path('state/token'));
    early();
    expect(read('root/etc/machine-id')).toBe('');
  });
});

describe('hostname', () => {
  test('given by a person to this very system stays until the agent has kept it', () => {
    host.write('state/hostname', 'old\n');
    early();
    host.write('root/etc/hostname', 'new\n');
    early();
    expect(read('root/etc/hostname')).toBe('new\n');
  });

  test('is that of the host on a slot which had it under a former name', () => {
    host.write('state/hostname', 'old\n');
    early();
    host.write('state/hostname', 'new\n');
    early();
    expect(read('root/etc/hostname')).toBe('new\n');
  });

  test('of the image gives way', () => {
    host.write('root/etc/hostname', 'image\n');
    host.write('state/hostname', 'host\n');
    early();
    expect(read('root/etc/hostname')).toBe('host\n');
  });

  test.each(['localhost\n', 'a b\n', '-x\n', `${'x'.repeat(65)}\n`, '$(id)\n'])(
    'kept as %j is none',
    (kept) => {
      host.write('state/hostname', kept);
      early();
      expect(read('root/etc/hostname')).toBe('');
    },
  );
});

describe('files', () => {
  const FILE = { path: 'etc/one', content: '1' };

  test('of a set that has shrunk, or is gone, are removed', () => {
    giveSet([FILE, { path: 'etc/two', content: '2' }]);
    early();
    giveSet([FILE]);
    early();
    expect([existsSync(host.path('root/etc/one')), existsSync(host.path('root/etc/two'))]).toEqual([
      true,
      false,
    ]);
    rmSync(host.path('state/files/slot-b'));
    early();
    expect(existsSync(host.path('root/etc/one'))).toBe(false);
  });

  test('that are damaged, missing or named by nonsense change nothing', () => {
    const hex = giveSet([FILE]);
    early();
    for (const spoil of [
      () => host.write(`state/files/${hex}.tar`, 'damaged'),
      () => rmSync(host.path(`state/files/${hex}.tar`)),
      () => host.write('state/files/slot-b', '../../token\n'),
    ]) {
      spoil();
      expect(early().out[0]).toBe('0');
      expect(read('root/etc/one')).toBe('1');
      expect(existsSync(host.path('run/wb/early-failed'))).toBe(true);
    }
    giveSet([FILE]);
    early();
    expect(existsSync(host.path('run/wb/early-failed'))).toBe(false);
    expect(said()).toContain('is missing or damaged');
    expect(said()).toContain('no sha256');
  });

  test('that this image has no place for are left out and said: a trial is none the worse for it', () => {
    mkdirSync(host.path('root/etc/one'), { recursive: true });
    giveSet([FILE, { path: 'etc/two', content: '2' }]);
    early();
    expect(said()).toContain('files: etc/one: left out, for it is a folder here');
    expect(read('root/etc/two')).toBe('2');
    expect(existsSync(host.path('run/wb/early-failed'))).toBe(false);
  });

  test('that are refused are said, and the identity is given all the same', () => {
    giveSet([{ path: 'etc/../x' }]);
    expect(early().out).toEqual(['0', '0']);
    expect(said()).toContain('the file set is refused');
    expect(read('root/etc/machine-id')).not.toBe('');
  });

  test('stay as they are when the helper is missing, and the identity is given all the same', () => {
    giveSet([FILE]);
    expect(early(['sh'], { HELPER: '/nowhere/helper' }).out).toEqual(['0', '0']);
    expect(said()).toMatch(/files: .*not found/);
    expect(read('root/etc/machine-id')).not.toBe('');
  });
});

describe('cloud-init', () => {
  test('keeps what is the host’s, and takes the seed', () => {
    mkdirSync(host.path('root/etc/cloud'));
    host.write('state/hostname', 'web-1\n');
    early();
    const settings = 'root/etc/cloud/cloud.cfg.d/99-warmboot.cfg';
    expect(read(settings)).toContain('ssh_deletekeys: false');
    expect(read(settings)).toContain('preserve_hostname: true');
    expect(read(settings)).not.toContain('NoCloud');
    giveSet([{ path: 'seed/user-data', content: '#cloud-config\n' }]);
    early();
    expect(read(settings)).toContain('NoCloud');
    expect(read('root/var/lib/cloud/seed/nocloud/meta-data')).toBe(
      `instance-id: warmboot-${read('root/etc/machine-id').trim()}\n`,
    );
  });

  test('is not there: no settings for it', () => {
    early();
    expect(existsSync(host.path('root/etc/cloud'))).toBe(false);
  });
});

describe('what goes wrong is said, and ends without a mount left behind', () => {
  test('a state partition that cannot be mounted', () => {
    host.write('no-mount', '');
    expect(early().out).toEqual(['1', '0']);
    expect(said()).toContain('no state partition that can be read');
    expect(read('root/etc/machine-id')).toBe('');
  });

  test('a system that is not on a Warmboot disk', () => {
    rmSync(host.path('sys/dev/block/8:9'));
    expect(early().out[0]).toBe('1');
  });

  test('a root that is read-only', () => {
    giveSet([{ path: 'etc/one', content: '1' }]);
    host.write('state/hostname', 'web-1\n');
    host.write('state/ssh/ssh_host_rsa_key', KEY);
    const root = host.path('root');
    const first = `/bin/mount --bind '${root}' '${root}' && /bin/mount -o remount,ro,bind '${root}'`;
    expect(early(['sh'], {}, { first }).out).toEqual(['0', '0']);
    for (const what of [
      'the machine-id cannot',
      'the hostname cannot',
      'ssh_host_rsa_key cannot',
      'Read-only',
    ])
      expect(said()).toContain(what);
  });

  test('a disk that is full', () => {
    giveSet([{ path: 'etc/one', content: 'x'.repeat(10_000) }]);
    const root = host.path('root');
    const first = `/bin/mount -t tmpfs -o size=64k none '${root}' && mkdir '${root}/etc' && : > '${root}/etc/machine-id' && dd if=/dev/zero of='${root}/fill' 2> /dev/null`;
    expect(early(['sh'], {}, { first }).out).toEqual(['0', '0']);
    expect(said()).toContain('No space left');
    expect(read('run/wb/early-failed')).toContain('No space left');
  });
});

/** `init` as PID 1 is: it must come to the real init whatever `early` does. */
describe.each(SHELLS)('init in %s', (...shell) => {
  const lib = () => host.path('lib');
  beforeEach(() => {
    host.write('lib/init', readFileSync(join(AGENT, 'init'), 'utf8'), 0o755);
    host.write('lib/trial-guard', '#!/bin/sh\necho guard >> "$T/order"\n', 0o755);
    host.write('real-init', '#!/bin/sh\numask >> "$T/umask"; echo "init $*" >> "$T/order"\n', 0o755);
  });

  /** @param seconds that `early` may take. Where it ends by itself nobody waits so long, or this runs out of its own time. */
  function init(script: string | null, seconds: '1' | '3600') {
    if (script !== null) host.write('lib/early', `#!/bin/sh\n${script}\n`, 0o755);
    const began = Date.now();
    const done = spawnSync(
      'unshare',
      ['-pf', '--kill-child', ...shell, join(lib(), 'init'), 'single', 'two words'],
      {
        encoding: 'utf8',
        env: environment({ WB_LIB: lib(), WB_INIT: host.path('real-init'), WB_EARLY_SECONDS: seconds }),
        timeout: 240_000,
        // What is left running keeps no pipe of ours open.
        stdio: ['ignore', 'ignore', 'ignore'],
      },
    );
    hasStarted('unshare', done);
    return { status: done.status, order: read('order').trim().split('\n'), tookMs: Date.now() - began };
  }

  test('that it was ended in the midst of its work is left for the agent, and said; what ends by itself is not', () => {
    init('exit 1', '3600');
    expect(existsSync(host.path('run/wb/early-cut'))).toBe(false);
    init('sleep 3600', '1');
    expect(existsSync(host.path('run/wb/early-cut'))).toBe(true);
    expect(said()).toContain('took too long');
  });

  test('early first, then the real init with its arguments, at once', () => {
    const { status, order } = init('sleep 0.2; echo early >> "$T/order"', '3600');
    expect({ status, order }).toEqual({ status: 0, order: ['early', 'init single two words'] });
    expect(read('umask').trim()).toBe('0022');
  });

  test.each([
    ['is missing', null],
    ['fails', 'exit 1'],
    ['is no script at all', '\u0000\u007f\u0001'],
    ['crashes', 'kill -SEGV $$'],
    ['kills its parent', 'kill -TERM $PPID; kill -INT $PPID; kill -USR1 $PPID; kill -HUP $PPID'],
  ])('early %s', (_, script) => {
    expect(init(script, '3600').order.at(-1)).toBe('init single two words');
  });

  test('early hangs: ended after its time, with all that it started', () => {
    // Whoever is left of them holds the lock.
    host.write(
      'real-init',
      '#!/bin/sh\necho "init $*" >> "$T/order"; flock -w 100 "$T/lock" echo alone >> "$T/order"\n',
      0o755,
    );
    const { order, tookMs } = init('exec 9> "$T/lock"; flock 9; sleep 3600 & sleep 3600', '1');
    expect(order).toEqual(['init single two words', 'alone']);
    expect(tookMs).toBeGreaterThan(900);
  });

  test('early hangs and cannot be killed', () => {
    // Out of the group that is killed, as a process in the kernel's hands is.
    const { order } = init('trap "" TERM; setsid sh -c "trap : TERM; sleep 6; echo late" & wait', '1');
    expect(order).toEqual(['init single two words']);
  });

  test('a trial has its guard before anything else', () => {
    host.write('proc/cmdline', 'root=x warmboot.slot=b oops=panic warmboot.trial=600\n');
    expect(
      init('until [ -s "$T/order" ]; do sleep 0.1; done; echo early >> "$T/order"', '3600').order,
    ).toEqual(['guard', 'early', 'init single two words']);
  });
});

test('early, init and label can be executed as they lie in the image', () => {
  for (const name of ['early', 'init', 'label']) expect(statSync(join(AGENT, name)).mode & 0o111).toBe(0o111);
});

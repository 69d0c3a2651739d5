import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AGENT, FakeHost, SHELLS } from './shell.ts';

/** /data: mounted from the data partition of the system's own disk, and what a system without it is worth. */
let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.disk(
    'sda',
    {},
    ['bios', 'boot', 'state', 'a', 'b', 'data'].map((label) => `warmboot-${label}`),
  );
  for (const type of ['ext4', 'xfs'])
    host.write(
      `bin/fsck.${type}`,
      '#!/bin/sh\necho "fsck $*" >> "$T/calls"; exit "$(cat "$T/fsck" 2> /dev/null || echo 0)"\n',
      0o755,
    );
  host.write('bin/xfs_growfs', '#!/bin/sh\necho "xfs_growfs $*" >> "$T/calls"\n', 0o755);
  host.write('bin/restorecon', '#!/bin/sh\necho "restorecon $*" >> "$T/calls"\n', 0o755);
  host.write(
    'bin/warmboot-helper',
    `#!/bin/sh
    echo "helper $*" >> "$T/calls"
    if [ -e "$T/refuses-$1" ]; then echo "warmboot-helper: $1 is refused" >&2; exit 5; fi\n`,
    0o755,
  );
});
afterEach(() => host.remove());

const PARTS = [join(AGENT, 'data.sh')];
const MOUNTED = '40 29 8:6 / /srv rw - ext4 /dev/sda6 rw\n';

describe.each(SHELLS)('in %s', (...shell) => {
  const run = (script: string) => host.run(shell, `DATA=$T/data\n${script}`, PARTS).out;
  const mount = () => run('if mount_data sda; then echo fine; else echo failed; fi').split('\n').at(-1);
  const health = () => run('REASON=; if data_healthy sda; then echo fine; else echo "$REASON"; fi');
  const calls = () =>
    existsSync(host.path('calls')) ? readFileSync(host.path('calls'), 'utf8').trim().split('\n') : [];
  const holds = (type: string) => host.write('blkid/TYPE-sda6', `${type}\n`);

  test('ext4: the mount point is closed first, then checked, mounted, grown', () => {
    holds('ext4');
    expect(mount()).toBe('fine');
    const data = host.path('data');
    expect(calls()).toEqual([
      `helper immutable ${data}`,
      'fsck -p /dev/sda6',
      `mount -t ext4 /dev/sda6 ${data}`,
      `helper grow ${data} /dev/sda6`,
      `restorecon ${data}`,
    ]);
    expect(statSync(data).mode & 0o777).toBe(0o755);
  });

  test('xfs is grown by its own program', () => {
    holds('xfs');
    expect(mount()).toBe('fine');
    expect(calls()).toContain(`xfs_growfs -d ${host.path('data')}`);
  });

  test('an immutable mount point or a growth that is refused stops nobody', () => {
    holds('ext4');
    host.write('refuses-immutable', '');
    host.write('refuses-grow', '');
    expect(mount()).toBe('fine');
    expect(readFileSync(host.path('run/log'), 'utf8')).toMatch(/not grown: warmboot-helper: grow is refused/);
    expect(existsSync(host.path('run/data.err'))).toBe(false);
  });

  test.each([
    ['0', 'fine'],
    ['1', 'fine'],
    ['2', 'fine'],
    ['4', 'failed'],
    ['6', 'failed'],
    ['8', 'fine'],
  ])('fsck ends with %s: %s', (status, end) => {
    holds('ext4');
    host.write('fsck', status);
    expect(mount()).toBe(end);
    expect(calls().some((call) => call.startsWith('mount'))).toBe(end === 'fine');
    if (end === 'failed')
      expect(health()).toBe(
        'the data partition sda6 is not mounted: fsck.ext4 found errors on sda6 that it does not mend by itself: run it by hand',
      );
  });

  test('a mount that fails is the reason why the system is not healthy', () => {
    holds('ext4');
    host.write('bin/mount', '#!/bin/sh\necho "mount: bad superblock" >&2; exit 32\n', 0o755);
    expect(mount()).toBe('failed');
    expect(health()).toBe('the data partition sda6 is not mounted: mount: bad superblock');
  });

  test.each(['', 'LVM2_member', 'crypto_LUKS', 'swap', 'linux_raid_member'])(
    'what holds %j is left alone, and no fault',
    (type) => {
      if (type !== '') holds(type);
      expect(mount()).toBe('fine');
      expect(calls()).toEqual([]);
      expect(health()).toBe('fine');
    },
  );

  test('one that the installer made a filesystem on must have one', () => {
    host.write('run/state/data', 'uuid\n');
    expect(health()).toMatch(/^the data partition sda6 is not mounted: it holds no filesystem any more/);
  });

  test('mounted elsewhere by the system itself: left so, and healthy', () => {
    holds('ext4');
    host.write('proc/self/mountinfo', MOUNTED);
    expect(mount()).toBe('fine');
    expect(calls()).toEqual([]);
    expect(health()).toBe('fine');
  });

  test('never mounted: not healthy, whatever the reason', () => {
    holds('ext4');
    expect(health()).toMatch(/^the data partition sda6 is not mounted: /);
  });

  test('a disk without a data partition has nothing to mount', () => {
    host.disk('sdb', {}, ['warmboot-bios', 'warmboot-boot', 'warmboot-state', 'warmboot-a']);
    expect(run('mount_data sdb && data_healthy sdb && echo fine')).toBe('fine');
    expect(calls()).toEqual([]);
  });

  test("the check is part of the agent's own", () => {
    holds('ext4');
    const trial = [...PARTS, join(AGENT, 'trial.sh')];
    const script = 'DISK=sda HOOK_SECONDS=3600; if healthy; then echo fine; else echo "$REASON"; fi';
    expect(host.run(shell, script, trial).out).toMatch(/^the data partition sda6 is not mounted/);
    host.write('proc/self/mountinfo', MOUNTED);
    expect(host.run(shell, script, trial).out).toBe('fine');
  });
});

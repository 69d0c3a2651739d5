import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AGENT, FakeHost, SHELLS } from './shell.ts';

/** The agent's first look at its disk: what it may take for granted, and what not. */

const DIGEST = `sha256:${'0a'.repeat(32)}`;
const TRIAL = 'root=PARTUUID=x rw warmboot.slot=a warmboot.trial=300\n';
/** The agent's exit codes: tried again by systemd, and not. */
const [AGAIN, FOR_GOOD] = [1, 78];

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.isInstalled({ slot: 'a', digest: DIGEST, attempt: 'att-1' });
});
afterEach(() => host.remove());

describe.each(SHELLS)('in %s', (...shell) => {
  const start = () => host.run(shell, `WB_ETC=$T/etc; . '${join(AGENT, 'agent')}'`).status;
  const isConfirmed = () => existsSync(host.path('run/confirmed'));

  test('a disk with nothing of a server on it was composed: this boot is a good one, and that is all', () => {
    expect([start(), isConfirmed()]).toEqual([FOR_GOOD, true]);
  });

  test('nothing of a server, in a trial: that some server ordered, so its guard goes on', () => {
    host.write('proc/cmdline', TRIAL);
    expect([start(), isConfirmed()]).toEqual([AGAIN, false]);
    expect(readFileSync(host.path('run/boot/grub/grubenv'), 'utf8')).toBe('default=a\ntries_a=3\n');
  });

  test('a state partition that is mounted and cannot be read is not an empty one', () => {
    host.write('bin/ls', '#!/bin/sh\nexit 2\n', 0o755);
    const script = `ls() { "$T/bin/ls" "$@"; }; WB_ETC=$T/etc; . '${join(AGENT, 'agent')}'`;
    expect([host.run(shell, script).status, isConfirmed()]).toEqual([AGAIN, false]);
  });

  /** Of the first few mounts of the state partition to be written. */
  const refuses = (times: number) =>
    host.write(
      'bin/mount',
      `#!/bin/sh
      echo "mount $*" >> "$T/calls"
      case $* in *ext4*rw,*) [ "$(grep -c 'ext4.*rw,' "$T/calls")" -gt ${times} ] ;; esac`,
      0o755,
    );
  const mountsToRead = () =>
    readFileSync(host.path('calls'), 'utf8')
      .split('\n')
      .filter((line) => line.includes('ro,noload'));

  test('somebody looks at the state partition in that moment: waited for', () => {
    refuses(3);
    start();
    expect(mountsToRead()).toEqual([]);
  });

  test('a state partition that takes no writes is read as it is', () => {
    refuses(100);
    start();
    expect(mountsToRead().length).toBe(1);
  });
});

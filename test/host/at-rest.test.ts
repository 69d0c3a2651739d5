import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hasStarted } from '../../lab/child.ts';
import { AGENT, FakeHost, SHELLS } from './shell.ts';

/** What the agent costs a host on which nothing happens: processes, counted by their numbers in a namespace of their own. */

const NAMESPACE = ['--user', '--map-root-user', '--pid', '--fork', '--kill-child'];
const hasNamespaces = hasStarted('unshare', spawnSync('unshare', [...NAMESPACE, 'true'])).status === 0;

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.write('bin/curl', '#!/bin/sh\nprintf 304\n', 0o755);
});
afterEach(() => host.remove());

const PARTS = ['lib.sh', 'data.sh', 'switch.sh', 'trial.sh', 'poll.sh']
  .map((name) => `. '${join(AGENT, name)}'\n`)
  .join('');
/** Confirmed, with nothing to do and a manifest that was read; played programs that would start others start none. */
const AT_REST = `SLOT=a DISK=sda GOOD=yes IN_TRIAL='' LOOKS=0 REFUSED='' ETAG=e1 LONG_POLL=15 HOLDS=55 AWAY=1
  M_POLL=15 M_ACTION=none M_ATTEMPT='' M_ANNOUNCE=''
  blkid() { read -r fact < "$T/blkid/$5-\${6##*/}"; echo "$fact"; }
  sleep() { :; }
  chance 1
  look
`;

/** Processes that the script starts beside its shell and what it looks with. */
function started(shell: readonly string[], script: string): number {
  const looked = `last() { sh -c 'echo "$$"'; }`;
  const count = `first=$(last); before=$(last); ${script}\n after=$(last); echo "$(((after - before) - (before - first)))"`;
  const text = `set -u\n${PARTS}${AT_REST}${looked}\n${count}`;
  const out = execFileSync('unshare', [...NAMESPACE, ...shell, '-c', text], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: host.env,
  });
  return Number(out);
}

describe.runIf(hasNamespaces).each(SHELLS)('in %s', (...shell) => {
  test('at rest a look at the server starts curl, and nothing else', () => {
    expect(started(shell, 'look; look; look; look; look')).toBe(5);
  });

  test('a host that was told anew, and whose server lets go before the time, starts nothing more either', () => {
    host.write('run/announced', '1764151200\n');
    const more = `M_ANNOUNCE=1764151200; read_uptime() { UPTIME=$((\${UPTIME:-0} + 9)); }`;
    expect(started(shell, `${more}; look; look; look`)).toBe(3);
  });

  test('its disk is read once: of a GPT with no process, of an msdos table with one for each partition', () => {
    host.disk(
      'sda',
      {},
      ['bios', 'boot', 'state', 'a', 'b'].map((label) => `warmboot-${label}`),
    );
    host.msdosDisk('sdb', { 1: '0xef', 2: '0x83', 3: '0xf', 5: '0x83', 6: '0x83', 7: '0xda' });
    const ask = (disk: string) =>
      `know_disk ${disk}; for role in boot state a b data; do partition_on ${disk} "warmboot-$role" > /dev/null; done; slots_on ${disk} > /dev/null`;
    expect(started(shell, ask('sda'))).toBe(0);
    // The table, and six partitions.
    expect(started(shell, ask('sdb'))).toBe(7);
  });
});

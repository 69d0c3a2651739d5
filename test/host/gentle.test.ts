import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AGENT, FakeHost, SHELLS } from './shell.ts';

/** Weights of the agent's groups while it stages. */

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});
afterEach(() => host.remove());

const UNIT = '/system.slice/warmboot-agent.service';
const SESSION = 'proc/self/autogroup';
const WEIGHT = `sys/fs/cgroup${UNIT}/cpu.weight`;
const SHARES = `sys/fs/cgroup/cpu${UNIT}/cpu.shares`;
const content = (file: string) => readFileSync(host.path(file), 'utf8').trim();

describe.each(SHELLS)('in %s', (...shell) => {
  /** The weights in these files before, while and after something is done gently, and how that ended. */
  function gently(files: readonly string[]) {
    const before = files.map(content);
    const look = files.map((file) => `cat '${host.path(file)}'`).join('; ') || ':';
    const { out } = host.run(shell, `work() { ${look}; return 7; }; gently work; echo "ended $?"`, [
      join(AGENT, 'gentle.sh'),
    ]);
    const said = out.split('\n');
    return { before, beside: said.slice(0, -1), ended: said.at(-1), after: files.map(content) };
  }

  test('a session is made light, and gets back the weight that it had', () => {
    host.write(SESSION, '/autogroup-7 nice 3\n');
    host.write('proc/self/cgroup', '0::/\n');
    expect(gently([SESSION])).toMatchObject({ beside: ['19'], ended: 'ended 7', after: ['3'] });
  });

  test('so are the unit’s own groups', () => {
    host.write('proc/self/cgroup', `4:cpu,cpuacct:${UNIT}\n1:name=systemd:${UNIT}\n0::${UNIT}\n`);
    host.write(WEIGHT, '100\n');
    host.write(SHARES, '1024\n');
    const seen = gently([WEIGHT, SHARES]);
    expect(seen).toMatchObject({ beside: ['1', '2'], ended: 'ended 7', after: ['100', '1024'] });
  });

  test('a group that the unit shares with others is left alone', () => {
    host.write('proc/self/cgroup', '4:cpuacct,cpu:/\n0::/system.slice\n');
    for (const file of ['sys/fs/cgroup/system.slice/cpu.weight', 'sys/fs/cgroup/cpu/cpu.shares'])
      host.write(file, '100\n');
    const files = ['sys/fs/cgroup/system.slice/cpu.weight', 'sys/fs/cgroup/cpu/cpu.shares'];
    expect(gently(files)).toMatchObject({ beside: ['100', '100'], after: ['100', '100'] });
  });

  test('without any group the work is done all the same', () => {
    expect(gently([])).toMatchObject({ beside: [], ended: 'ended 7' });
  });

  test('a kernel that does not take a weight stops nothing', () => {
    mkdirSync(host.path(SESSION), { recursive: true });
    const { out } = host.run(shell, `weigh session 19; cat "$WB_RUN/log"`, [join(AGENT, 'gentle.sh')]);
    expect(out).toBe('the session group does not take the weight 19');
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { inCheckout } from '../lab/paths.ts';
import { until } from '../lab/wait.ts';

/** The runner of the tests, as somebody ends it who has seen enough, and as a machine does that is short of memory. */

const ENDS = [
  ['SIGINT', [130, null], 'stopped by SIGINT\n'],
  ['SIGTERM', [130, null], 'stopped by SIGTERM\n'],
  ['SIGKILL', [null, 'SIGKILL'], ''],
] as const;

/** Processes that this run started, whoever their parent is now. */
function processesOf(label: string): string[] {
  const isOurs = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`=${label}\0`);
    } catch {
      return false;
    }
  };
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isOurs(name));
}

test.each(ENDS)(
  '%s ends all that a run has started, and leaves no folder',
  async (signal, end, last) => {
    // A file whose tests last for some seconds.
    const args = ['test/run.ts', 'unit', 'test/stop.test.ts'];
    const run = spawn(process.execPath, args, {
      cwd: inCheckout('.'),
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, WARMBOOT_TEST_RUN: 'outer' },
    });
    onTestFinished(() => void run.kill('SIGKILL'));
    let said = '';
    run.stdout.on('data', (text) => {
      said += text;
    });
    const label = `warmboot-test=${run.pid}`;
    const folders = [inCheckout(`.cache/work/test-${run.pid}`), join(tmpdir(), `warmboot-test-${run.pid}`)];
    // Runner, vitest and its worker, and a server that the worker started.
    const started = () => processesOf(label).length > 5 || undefined;
    await until(started, { what: 'the first tests', timeoutMs: 60_000, everyMs: 20 });
    expect(folders.map(existsSync)).toEqual([true, true]);

    const ended = once(run, 'close');
    run.kill(signal);
    expect(await ended).toEqual(end);
    expect(said.endsWith(last)).toBe(true);
    const isClean = () => (processesOf(label).length === 0 && !folders.some(existsSync)) || undefined;
    await until(isClean, { what: 'the end of all that it started', timeoutMs: 20_000 });
  },
  120_000,
);

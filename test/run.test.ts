import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { until } from '../lab/wait.ts';

/** The runner of the tests, as somebody who has seen enough ends it. */

const ROOT = join(import.meta.dirname, '..');

/** Its children that run this program; not the compiler's own helpers, which see by themselves that it is gone. */
const childrenOf = (pid: number, program: string) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter((child) => child !== '' && readFileSync(`/proc/${child}/cmdline`, 'utf8').includes(program));

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  'a run that is told to end by %s takes along what it started, and says why it ended',
  async (signal) => {
    const run = spawn(process.execPath, ['test/run.ts', 'unit'], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void run.kill('SIGKILL'));
    let said = '';
    run.stdout.on('data', (text) => {
      said += text;
    });
    const pid = run.pid as number;
    // The first thing it starts, a check of the types, lasts for long enough.
    const started = await until(
      () => {
        const children = childrenOf(pid, 'tsc');
        return children.length > 0 ? children : undefined;
      },
      { what: 'the start of the first check', timeoutMs: 120_000, everyMs: 20 },
    );
    const ended = once(run, 'close');
    run.kill(signal);
    expect(await ended).toEqual([130, null]);
    expect(started.filter((child) => existsSync(`/proc/${child}`))).toEqual([]);
    expect(said).toBe(`\n== unit\nstopped by ${signal}\n`);
  },
);

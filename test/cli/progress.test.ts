import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LiveProgress } from '../../server/cli/live-progress.ts';
import { PlainProgress } from '../../server/cli/plain-progress.ts';
import type { Output } from '../../server/cli/world.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

function output(columns: number | undefined): Output & { text(): string; shown(): string[] } {
  let text = '';
  return {
    isTTY: columns !== undefined,
    columns,
    write: (more) => {
      text += more;
    },
    text: () => text,
    /** What stands on the terminal: of each line what was written last. */
    shown: () =>
      text
        .replaceAll('\x1b[K', '')
        .split('\n')
        .map((line) => line.split('\r').at(-1) ?? ''),
  };
}

const chunks = (bytesDone: number) => ({
  phase: 'chunks',
  message: '',
  bytesDone,
  bytesTotal: 100 * 1024 ** 2,
});

test('a bar with share, amount, rate and time', () => {
  const to = output(80);
  const progress = new LiveProgress(to, Date.now);
  progress.step(chunks(0));
  vi.advanceTimersByTime(2000);
  progress.step(chunks(50 * 1024 ** 2));
  expect(to.shown()).toEqual([
    'chunks      ████████████░░░░░░░░░░░░  50%  50 MiB of 100 MiB  25 MiB/s  2.0 s',
  ]);
  progress.end('done');
  expect(to.shown()).toEqual(['chunks      100 MiB  2.0 s', '']);
});

test('the seconds go on while nothing happens, and stop at the end', () => {
  const to = output(60);
  const progress = new LiveProgress(to, Date.now);
  progress.step({ phase: 'docker', message: 'RUN sleep' });
  vi.advanceTimersByTime(12_500);
  expect(to.shown()).toEqual(['docker      RUN sleep  12 s']);
  progress.note('a note');
  progress.end('done');
  expect(to.shown()).toEqual(['a note', 'docker      RUN sleep  13 s', '']);
  const before = to.text();
  vi.advanceTimersByTime(5000);
  expect(to.text()).toBe(before);
});

test('a line never reaches the last column, however narrow the terminal', () => {
  for (const columns of [10, 20, 40]) {
    const to = output(columns);
    const progress = new LiveProgress(to, Date.now);
    progress.step({ phase: 'docker', message: 'x'.repeat(200) });
    progress.step(chunks(1));
    progress.end('done');
    for (const line of to.shown()) expect(line.length).toBeLessThan(columns);
  }
});

test('a count that begins anew in the same phase has a rate of its own', () => {
  const to = output(80);
  const progress = new LiveProgress(to, Date.now);
  progress.step(chunks(90 * 1024 ** 2));
  vi.advanceTimersByTime(1000);
  progress.step(chunks(0));
  expect(to.shown()[0]).not.toContain('/s');
  progress.end('done');
});

test('plain: each message once, a count each quarter or each ten seconds', () => {
  const to = output(undefined);
  const progress = new PlainProgress(to, Date.now);
  progress.step({ phase: 'pack', message: 'syncing' });
  progress.step({ phase: 'pack', message: 'syncing' });
  for (let share = 0; share <= 100; share += 5) progress.step(chunks(share * 1024 ** 2));
  progress.step({ ...chunks(3 * 1024 ** 2), phase: 'write' });
  vi.advanceTimersByTime(11_000);
  progress.step({ ...chunks(4 * 1024 ** 2), phase: 'write' });
  expect(to.text()).toBe(
    [
      'pack: syncing',
      'chunks: 0% of 100 MiB',
      'chunks: 25% of 100 MiB',
      'chunks: 50% of 100 MiB',
      'chunks: 75% of 100 MiB',
      'chunks: 100% of 100 MiB',
      'write: 3% of 100 MiB',
      'write: 4% of 100 MiB',
      '',
    ].join('\n'),
  );
});

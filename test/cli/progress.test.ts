import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LiveProgress } from '../../server/cli/live-progress.ts';
import { PlainProgress } from '../../server/cli/plain-progress.ts';
import { Rate } from '../../server/cli/rate.ts';
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

const layers = (bytesDone: number) => ({
  phase: 'layers',
  message: '',
  bytesDone,
  bytesTotal: 100 * 1024 ** 2,
});

test('a bar with share, amount, rate and time', () => {
  const to = output(80);
  const progress = new LiveProgress(to, Date.now);
  progress.step(layers(0));
  vi.advanceTimersByTime(2000);
  progress.step(layers(50 * 1024 ** 2));
  expect(to.shown()).toEqual(['layers      ██████░░░░░░  50%  50 MiB of 100 MiB  25 MiB/s  2 s left']);
  progress.end('done');
  expect(to.shown()).toEqual(['layers      100 MiB  2.0 s', '']);
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
    progress.step(layers(1));
    progress.end('done');
    for (const line of to.shown()) expect(line.length).toBeLessThan(columns);
  }
});

test('a count that begins anew in the same phase has a rate of its own', () => {
  const to = output(80);
  const progress = new LiveProgress(to, Date.now);
  progress.step(layers(90 * 1024 ** 2));
  vi.advanceTimersByTime(1000);
  progress.step(layers(0));
  expect(to.shown()[0]).not.toContain('/s');
  progress.end('done');
});

test('plain: each message once, a count each quarter or each ten seconds', () => {
  const to = output(undefined);
  const progress = new PlainProgress(to, Date.now);
  progress.step({ phase: 'pack', message: 'syncing' });
  progress.step({ phase: 'pack', message: 'syncing' });
  for (let share = 0; share <= 100; share += 5) progress.step(layers(share * 1024 ** 2));
  progress.step({ ...layers(3 * 1024 ** 2), phase: 'write' });
  vi.advanceTimersByTime(11_000);
  progress.step({ ...layers(4 * 1024 ** 2), phase: 'write' });
  expect(to.text()).toBe(
    [
      'pack: syncing',
      'layers: 0% of 100 MiB',
      'layers: 25% of 100 MiB',
      'layers: 50% of 100 MiB',
      'layers: 75% of 100 MiB',
      'layers: 100% of 100 MiB',
      'write: 3% of 100 MiB',
      'write: 4% of 100 MiB, 93 KiB/s, 17 min 36 s left',
      '',
    ].join('\n'),
  );
});

test('steps of a Dockerfile as a bar, with what is said now', () => {
  const to = output(80);
  const progress = new LiveProgress(to, Date.now);
  progress.step({ phase: 'docker', message: 'RUN apt-get update', stepsDone: 3, stepsTotal: 11 });
  expect(to.shown()).toEqual(['docker      ███░░░░░░░░░  27%  3 of 11  RUN apt-get update']);
  progress.step({ phase: 'docker', message: 'exporting', stepsDone: 11, stepsTotal: 11 });
  progress.end('done');
  expect(to.shown()).toEqual(['docker      11 steps', '']);
});

test('a count whose end nobody knows any more has no bar', () => {
  const to = output(80);
  const progress = new LiveProgress(to, Date.now);
  progress.step({ phase: 'layers', message: 'saving layers', bytesDone: 0, bytesTotal: 100 * 1024 ** 2 });
  vi.advanceTimersByTime(2000);
  progress.step({ phase: 'layers', message: 'saving layers', bytesDone: 120 * 1024 ** 2 });
  expect(to.shown()).toEqual(['layers      120 MiB  60 MiB/s  saving layers  2.0 s']);
});

test('a pace is smooth: a burst does not double it, a silence lets it sink', () => {
  const rate = new Rate();
  let done = 0;
  let now = 0;
  const second = (bytes: number) => {
    now += 1000;
    done += bytes;
    rate.take(done, now);
  };
  rate.take(0, 0);
  expect([rate.perSecond(0), rate.msUntil(100, 0)]).toEqual([null, null]);
  for (let i = 0; i < 20; i += 1) second(100);
  expect(rate.perSecond(now)).toBeCloseTo(100);
  expect(rate.msUntil(done + 500, now)).toBeCloseTo(5000);
  second(1000);
  expect(rate.perSecond(now)).toBeGreaterThan(100);
  expect(rate.perSecond(now)).toBeLessThan(300);
  const before = rate.perSecond(now) ?? 0;
  expect(rate.perSecond(now + 1000)).toBe(before);
  expect(rate.perSecond(now + 20_000)).toBeLessThan(before / 4);
  expect(rate.msUntil(done, now)).toBeNull();
  rate.take(5, now);
  expect(rate.perSecond(now)).toBeNull();
});

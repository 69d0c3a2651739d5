import { expect, test } from 'vitest';
import { pace } from '../../server/core/pace.ts';

/** Sends parts one after the other as the pace says. @returns when the last may go, in milliseconds */
function lastGoes(parts: number, bytes: number, may: ReturnType<typeof pace>): number {
  let now = 0;
  for (let i = 0; i < parts; i += 1) now += may(bytes, now);
  return now;
}

test.each([
  [1_000_000, 500_000],
  [1_000_000, 1_000],
  [3_000_000_000, 524_288],
])('%d bytes per second in parts of %d are that many', (rate, bytes) => {
  const parts = Math.ceil((20 * rate) / bytes);
  const seconds = lastGoes(parts, bytes, pace(rate)) / 1000;
  expect(seconds).toBeGreaterThan(20 - bytes / rate - 0.05);
  expect(seconds).toBeLessThanOrEqual(20);
});

test('who share a pace have the same of it, and never more than it together', () => {
  const may = pace(1_000_000);
  const next = [0, 0, 0, 0];
  const sent = [0, 0, 0, 0];
  for (let now = 0; now < 10_000; now += 1)
    for (const i of next.keys())
      if ((next[i] ?? 0) <= now) {
        next[i] = now + Math.max(1, may(10_000, now));
        if ((next[i] ?? 0) < 10_000) sent[i] = (sent[i] ?? 0) + 10_000;
      }
  const total = sent.reduce((sum, each) => sum + each, 0);
  expect(total).toBeGreaterThan(9_800_000);
  expect(total).toBeLessThanOrEqual(10_100_000);
  expect(Math.max(...sent) - Math.min(...sent)).toBeLessThanOrEqual(50_000);
});

test('a fast pace waits seldom and then for long: timers cost more than bytes', () => {
  const may = pace(1_000_000_000);
  const waits: number[] = [];
  for (let now = 0, i = 0; i < 1_000; i += 1) {
    const wait = may(100_000, now);
    if (wait > 0) waits.push(wait);
    now += wait;
  }
  expect(waits.length).toBeLessThan(10);
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(20);
});

test('what was not used is not saved up, and no limit is none', () => {
  const may = pace(1_000);
  expect(may(1_000, 0)).toBe(0);
  expect(may(1_000, 1_000_000)).toBe(0);
  expect(may(1_000, 1_000_000)).toBe(1_000);
  expect(pace(null)(1e12, 0)).toBe(0);
});

import { expect, test } from 'vitest';
import { rateLimit } from '../../server/core/rate-limit.ts';

const times = (count: number, call: () => number) =>
  Array.from({ length: count }, call).filter((waitMs) => waitMs === 0).length;

test('each source has its own burst, and gets one more after each interval', () => {
  const waitOf = rateLimit({ burst: 3, everyMs: 1000 }, { burst: 1000, everyMs: 1 });
  expect(times(10, () => waitOf('a', 0))).toBe(3);
  expect(times(10, () => waitOf('b', 0))).toBe(3);
  expect(times(10, () => waitOf('a', 999))).toBe(0);
  expect(times(10, () => waitOf('a', 1000))).toBe(1);
  expect(times(10, () => waitOf('a', 1_000_000))).toBe(3);
});

test('all sources together are bounded', () => {
  const waitOf = rateLimit({ burst: 3, everyMs: 1000 }, { burst: 10, everyMs: 1000 });
  let source = 0;
  expect(times(100, () => waitOf(`s${source++}`, 5))).toBe(10);
  expect(times(100, () => waitOf(`s${source++}`, 2005))).toBe(2);
});

test('a clock that is set back gives nothing', () => {
  const waitOf = rateLimit({ burst: 1, everyMs: 1000 }, { burst: 100, everyMs: 1 });
  expect(waitOf('a', 10_000)).toBe(0);
  expect(waitOf('a', 0)).toBe(1000);
  expect(waitOf('a', 999)).toBe(1);
});

test('who has to wait is told how long, and finds room then', () => {
  const waitOf = rateLimit({ burst: 1, everyMs: 6000 }, { burst: 2, everyMs: 10_000 });
  expect([waitOf('a', 0), waitOf('a', 1500)]).toEqual([0, 4500]);
  expect(waitOf('a', 5999)).toBe(1);
  expect(waitOf('a', 6000)).toBe(0);
  // All together have to wait longer than this one alone.
  const waitMs = waitOf('b', 6000);
  expect(waitMs).toBe(4000);
  expect(waitOf('b', 6000 + waitMs)).toBe(0);
});

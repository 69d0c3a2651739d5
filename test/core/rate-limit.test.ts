import { expect, test } from 'vitest';
import { rateLimit } from '../../server/core/rate-limit.ts';

const times = (count: number, call: () => boolean) =>
  Array.from({ length: count }, call).filter((may) => may).length;

test('each source has its own burst, and gets one more after each interval', () => {
  const may = rateLimit({ burst: 3, everyMs: 1000 }, { burst: 1000, everyMs: 1 });
  expect(times(10, () => may('a', 0))).toBe(3);
  expect(times(10, () => may('b', 0))).toBe(3);
  expect(times(10, () => may('a', 999))).toBe(0);
  expect(times(10, () => may('a', 1000))).toBe(1);
  expect(times(10, () => may('a', 1_000_000))).toBe(3);
});

test('all sources together are bounded', () => {
  const may = rateLimit({ burst: 3, everyMs: 1000 }, { burst: 10, everyMs: 1000 });
  let source = 0;
  expect(times(100, () => may(`s${source++}`, 5))).toBe(10);
  expect(times(100, () => may(`s${source++}`, 2005))).toBe(2);
});

test('a clock that is set back gives nothing', () => {
  const may = rateLimit({ burst: 1, everyMs: 1000 }, { burst: 100, everyMs: 1 });
  expect(may('a', 10_000)).toBe(true);
  expect(may('a', 0)).toBe(false);
  expect(may('a', 999)).toBe(false);
});

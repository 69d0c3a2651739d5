import { expect, test } from 'vitest';
import { NO_LIMITS, transferLimits } from '../../server/core/transfer-limits.ts';

const MIB = 1024 ** 2;

test('a rate alone is shared by so many that each has a MiB of it', () => {
  expect(transferLimits({ ...NO_LIMITS, rate: 100 * MIB }).atOnce).toBe(100);
  expect(transferLimits({ ...NO_LIMITS, rate: MIB / 2 }).atOnce).toBe(1);
  expect(transferLimits({ ...NO_LIMITS, rate: 100 * MIB, atOnce: 7 }).atOnce).toBe(7);
  expect(transferLimits(NO_LIMITS)).toEqual(NO_LIMITS);
});

test.each([
  { atOnce: 0 },
  { atOncePerHost: 0 },
  { rate: MIB, atOnce: 100 },
  { rate: 1000 },
  { rate: 0 },
  { ratePerHost: MIB, atOncePerHost: 20 },
])('%o lets no transfer end, and is refused', (said) => {
  expect(() => transferLimits({ ...NO_LIMITS, ...said })).toThrow(/at least|fewer/);
});

import { expect, test } from 'vitest';
import { unusableLimit } from '../../server/core/host-limits.ts';

test.each([
  {},
  { trialSeconds: null, rate: null },
  { trialSeconds: 60 },
  { trialSeconds: 86_400 },
  { rate: 65_536 },
])('%o can be', (limits) => expect(unusableLimit(limits)).toBeNull());

test.each([
  [{ trialSeconds: 59 }, /trial of 59 seconds/],
  [{ trialSeconds: 86_401 }, /trial of 86401 seconds/],
  [{ trialSeconds: 61.5 }, /trial of 61.5/],
  [{ rate: 0 }, /rate of 0/],
  [{ rate: -1 }, /rate of -1/],
  [{ rate: 65_535 }, /rate of 65535/],
  [{ rate: 2 ** 60 }, /rate of/],
])('%o cannot, and it is said why', (limits, why) => {
  expect(unusableLimit(limits)).toMatch(why);
});

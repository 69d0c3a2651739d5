import { expect, test } from 'vitest';
import { readiness } from '../../server/control/readiness.ts';

test('all looks are told; one that fails is what is wrong', async () => {
  const ask = readiness(
    {
      good: () => null,
      bad: async () => 'no room',
      broken: () => {
        throw new Error('attempt to write a readonly database');
      },
    },
    () => 0,
  );
  expect(await ask()).toEqual({
    isReady: false,
    checks: [
      { name: 'good', trouble: null },
      { name: 'bad', trouble: 'no room' },
      { name: 'broken', trouble: 'attempt to write a readonly database' },
    ],
  });
});

test('many who ask make it look once a second; then it looks again, also when the clock was set back', async () => {
  let looks = 0;
  let now = 5_000;
  const ask = readiness(
    {
      counted: () => {
        looks += 1;
        return looks < 2 ? 'not yet' : null;
      },
    },
    () => now,
  );
  const all = await Promise.all([ask(), ask(), ask()]);
  expect([looks, all.map(({ isReady }) => isReady)]).toEqual([1, [false, false, false]]);
  now += 1_000;
  expect((await ask()).isReady).toBe(true);
  now -= 100_000;
  await ask();
  expect(looks).toBe(3);
});

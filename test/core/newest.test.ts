import { expect, test } from 'vitest';
import { newest } from '../../server/core/newest.ts';

test('it keeps so many, and what was noted again is not the oldest', () => {
  const kept = newest<string, number>(2);
  for (const [key, value] of [
    ['a', 1],
    ['b', 2],
    ['a', 3],
    ['c', 4],
  ] as const)
    kept.note(key, value);
  expect(['a', 'b', 'c'].map(kept.of)).toEqual([3, undefined, 4]);
  kept.forget('a');
  kept.note('d', 5);
  expect(['a', 'c', 'd'].map(kept.of)).toEqual([undefined, 4, 5]);
});

test('a million made-up keys push out what was there, and leave no more than that', () => {
  const kept = newest<string, number>(100);
  kept.note('host', 1);
  for (let made = 0; made < 1_000_000; made += 1) kept.note(`made-up-${made}`, made);
  expect(kept.of('host')).toBeUndefined();
  kept.note('host', 2);
  expect([kept.of('host'), kept.of('made-up-999900'), kept.of('made-up-999901')]).toEqual([
    2,
    undefined,
    999_901,
  ]);
});

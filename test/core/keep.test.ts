import { expect, test } from 'vitest';
import { keep } from '../../server/core/keep.ts';

/** Answers with numbers that weigh what they are, and counts how often each is made. */
function counting(budget: number) {
  const made: string[] = [];
  const kept = keep<number>(budget, (weight) => weight);
  const get = (key: string, weight: number) =>
    kept.get(key, async () => {
      made.push(key);
      return weight;
    });
  return { ...kept, get, made };
}

test('many who ask at once cause one making', async () => {
  const { get, made } = counting(10);
  expect(await Promise.all([get('a', 1), get('a', 1), get('a', 1)])).toEqual([1, 1, 1]);
  expect(await get('a', 1)).toBe(1);
  expect(made).toEqual(['a']);
});

test('what was not asked for longest goes when all weigh too much', async () => {
  const { get, made } = counting(10);
  for (const key of ['a', 'b', 'c']) await get(key, 3);
  await get('a', 3);
  await get('d', 4);
  for (const key of ['a', 'c', 'd']) await get(key, 3);
  expect(made).toEqual(['a', 'b', 'c', 'd']);
  await get('b', 3);
  expect(made).toEqual(['a', 'b', 'c', 'd', 'b']);
});

test('one that weighs more than everything may is kept alone', async () => {
  const { get, made } = counting(10);
  await get('small', 1);
  await get('huge', 1000);
  await get('huge', 1000);
  await get('small', 1);
  await get('huge', 1000);
  expect(made).toEqual(['small', 'huge', 'small', 'huge']);
});

test('a failure is not kept, and what is forgotten is made anew', async () => {
  const kept = keep<number>(10, () => 1);
  await expect(kept.get('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await kept.get('a', async () => 1)).toBe(1);
  kept.forget('a');
  kept.forget('a');
  expect(await kept.get('a', async () => 2)).toBe(2);
});

test('what is forgotten while it is made neither counts nor comes back', async () => {
  const kept = keep<number>(10, (weight) => weight);
  let finish = (_: number) => {};
  const late = kept.get('a', () => new Promise((resolve) => (finish = resolve)));
  kept.forget('a');
  expect(await kept.get('b', async () => 9)).toBe(9);
  finish(9);
  expect(await late).toBe(9);
  expect(await kept.get('b', async () => 0)).toBe(9);
  expect(await kept.get('a', async () => 1)).toBe(1);
});

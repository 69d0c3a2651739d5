import { expect, test } from 'vitest';
// @ts-expect-error a script of browsers, without types
import { paced, words } from '../../server/web/client/rates.js';

test('a pace needs two reports, follows what comes, and begins anew with what is less', () => {
  let pace = paced(undefined, 0, 1000);
  expect(words(pace, 100)).toBe('');
  pace = paced(pace, 10 * 2 ** 20, 2000);
  expect(words(pace, 100 * 2 ** 20)).toBe('10 MiB/s, 10 s left');
  for (let at = 3000; at < 60_000; at += 1000) pace = paced(pace, pace.done + 2 ** 20, at);
  expect(words(pace, 65 * 2 ** 20)).toBe('1.0 MiB/s, 1 min 5 s left');
  expect(words(paced(pace, 5, 61_000), 1)).toBe('');
});

test('the same report twice says nothing new; a halt has no end', () => {
  const first = paced(paced(undefined, 0, 0), 1000, 1000);
  expect(paced(first, 1000, 1000)).toBe(first);
  let halted = first;
  for (let at = 2000; at < 200_000; at += 1000) halted = paced(halted, 1000, at);
  expect(words(halted, 1)).toBe('0 B/s');
});

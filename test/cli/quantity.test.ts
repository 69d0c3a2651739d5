import { expect, test } from 'vitest';
import { relative } from '../../server/cli/quantity.ts';
import { bytes, duration, percent } from '../../server/words/quantity.ts';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 KiB'],
  [1536, '1.5 KiB'],
  [10 * 1024, '10 KiB'],
  [165 * 1024 ** 2, '165 MiB'],
  [1023 * 1024, '1.0 MiB'],
  [2 * 1024 ** 3, '2.0 GiB'],
])('%d bytes are %s', (count, text) => expect(bytes(count)).toBe(text));

test.each([
  [-5, '0 ms'],
  [850, '850 ms'],
  [3210, '3.2 s'],
  [59_400, '59 s'],
  [59_600, '1 min'],
  [310_000, '5 min 10 s'],
  [7_500_000, '2 h 5 min'],
  [90_000_000, '1 d 1 h'],
])('%d ms are %s', (ms, text) => expect(duration(ms)).toBe(text));

test.each([
  [0, 'now'],
  [-12_000, '12 s ago'],
  [-3 * 3_600_000, '3 h ago'],
  [-49 * 3_600_000, '2 d ago'],
  [300_000, 'in 5 min'],
])('%d ms from now is %s', (offset, text) => expect(relative(1e12 + offset, 1e12)).toBe(text));

test('what never was is never', () => expect(relative(null, 0)).toBe('never'));

test('a share is a whole percent, and 100 only at the end', () => {
  expect([percent(0, 0), percent(1, 3), percent(9999, 10_000), percent(5, 5), percent(6, 5)]).toEqual([
    0, 33, 99, 100, 100,
  ]);
});

import { expect, test } from 'vitest';
import { maskOf } from '../../server/build/mask.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

test('secrets are hidden wherever they are printed, line by line', () => {
  const mask = maskOf([
    base64('first-line\r\n  second-line\n'),
    base64('first-line-and-more'),
    base64('short'),
  ]);
  expect(mask('a first-line b first-line c')).toBe('a *** b *** c');
  expect(mask('x=first-line-and-more')).toBe('x=***');
  expect(mask('second-line')).toBe('***');
  expect(mask('a short word stays')).toBe('a short word stays');
});

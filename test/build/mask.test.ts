import { expect, test } from 'vitest';
import { maskChecks, maskLayers, maskOf } from '../../server/build/mask.ts';

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

test('in what checks quote, and in instructions that hold one', () => {
  const mask = maskOf([base64('hunter2-hunter2')]);
  const failed = [{ check: 'fstab', message: 'a line (hunter2-hunter2)', line: 'RUN sed hunter2-hunter2' }];
  expect(maskChecks({ passed: ['curl'], failed }, mask)).toEqual({
    passed: ['curl'],
    failed: [{ check: 'fstab', message: 'a line (***)', line: 'RUN sed ***' }],
  });
  expect(maskChecks(null, mask)).toBeNull();
  const layer = { madeBy: 'RUN echo hunter2-hunter2', files: 1, contentBytes: 1, offset: 0 };
  expect(maskLayers([layer, { ...layer, madeBy: null }], mask)?.map(({ madeBy }) => madeBy)).toEqual([
    'RUN echo ***',
    null,
  ]);
  expect(maskLayers(null, mask)).toBeNull();
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { details, table } from '../../server/cli/table.ts';
import { clean, width } from '../../server/cli/text.ts';

const columns = [
  { title: 'NAME', least: 6 },
  { title: 'SIZE', align: 'right' as const },
  { title: 'REASON', least: 8 },
];

test('columns are as wide as their widest cell', () => {
  expect(
    table(columns, [
      ['a', '1 MiB', 'none'],
      ['a long name', '12 MiB', 'a reason of some words'],
    ]),
  ).toBe(
    [
      'NAME           SIZE  REASON',
      'a             1 MiB  none',
      'a long name  12 MiB  a reason of some words',
      '',
    ].join('\n'),
  );
});

test('where the terminal is too narrow the widest column that may be cut is cut first', () => {
  expect(table(columns, [['a long name', '12 MiB', 'a reason of some words']], 34)).toBe(
    ['NAME           SIZE  REASON', 'a long name  12 MiB  a reason of …', ''].join('\n'),
  );
});

test('columns are never cut below their least width', () => {
  expect(table(columns, [['a long name', '12 MiB', 'a reason of some words']], 5)).toBe(
    ['NAME      SIZE  REASON', 'a lon…  12 MiB  a reaso…', ''].join('\n'),
  );
});

test('a cell can neither break its line nor reach the terminal', () => {
  expect(table(columns, [['a\nb', '\x1b[2J1', 'c\x1b7']])).toBe(
    ['NAME  SIZE  REASON', 'a b      1  c\\x1b7', ''].join('\n'),
  );
  expect(details([['name', 'a\nb\x07']])).toBe('name  a b\\x07\n');
});

test('no line is wider than the terminal while the least widths allow it', () => {
  const cell = fc.string({ unit: 'grapheme' }).map(clean);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(cell, fc.constant('9 B'), cell)),
      fc.integer({ min: 24, max: 60 }),
      (rows, fitTo) => {
        for (const line of table(columns, rows, fitTo).split('\n'))
          expect(width(line)).toBeLessThanOrEqual(fitTo);
      },
    ),
  );
});

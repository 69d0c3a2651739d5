import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseFileContexts } from '../../../../server/build/accept/selinux/file-contexts.ts';
import { parsePattern } from '../../../../server/build/accept/selinux/pattern.ts';

test.each([
  ['/usr/lib(64)?/x', '/usr/lib', null],
  ['/usr/ab?c', '/usr/a', null],
  ['/usr/ab*', '/usr/a', null],
  ['/usr/ab{2}', '/usr/a', null],
  ['/usr/ab+', '/usr/ab', null],
  ['/a|/b', '', null],
  ['/a(b|c)', '/a', null],
  [String.raw`/a\.b\+`, '/a.b+', '/a.b+'],
  [String.raw`/a\.b?`, '/a.', null],
  [String.raw`/a\d`, '/a', null],
  ['/.*', '/', null],
])('%s begins with %j', (text, prefix, exact) => {
  expect(parsePattern(text)).toMatchObject({ prefix, exact });
});

test.each([
  ['possessive quantifiers', '/a++'],
  ['possessive quantifiers', '/a?+'],
  ['atomic groups', '/(?>a)'],
  ['options inside', '/(?i)a'],
  ['verbs', '/(*ACCEPT)a'],
  ['escapes that JavaScript takes for letters', String.raw`/\Aa`],
  ['escapes that JavaScript takes for letters', String.raw`/[\h]`],
  ['an unknown set', '/[[:nonsense:]]'],
  ['an open set', '/[a'],
  ['an open group', '/(a'],
  ['a backslash at the end', '/a\\'],
])('%s are refused, not read differently: %s', (_, text) => {
  expect(parsePattern(text)).toBeNull();
});

test('bytes beyond ASCII, dots that match newlines, sets in ASCII', () => {
  expect(parsePattern('/caf\xc3\xa9.')?.regex.test('/caf\xc3\xa9\n')).toBe(true);
  expect(parsePattern(String.raw`/a\s`)?.regex.test('/a\xa0')).toBe(false);
  expect(parsePattern(String.raw`/a[\s]`)?.regex.test('/a ')).toBe(true);
  expect(parsePattern('/a[^[:upper:]]')?.regex.test('/aB')).toBe(false);
  expect(parsePattern('/[^]a]')?.regex.test('/]')).toBe(false);
});

test('whatever is matched begins with the prefix', () => {
  const pieces = ['/', 'a', 'b', String.raw`\.`, '.', '?', '*', '+', '(', ')', '|', '[ab]', '{2}'];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces)), fc.stringMatching(/^\/[ab./]{0,6}$/), (parts, path) => {
      const pattern = parsePattern(`/${parts.join('')}`);
      if (pattern?.regex.test(path)) expect(path.startsWith(pattern.prefix)).toBe(true);
      if (pattern?.exact) expect(pattern.regex.test(pattern.exact)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('a line is two or three words; others are told with their number', () => {
  const text =
    '# a comment\n\n/a x:a\n  /b\t--\tx:b \n/c -? x:c\n/d\n/e -- x:e more\n/f++ x:f\n/g <<none>>\n/h constructor x:h\n';
  const { specs, faults } = parseFileContexts(text, 'fc');
  expect(specs.map(({ exact, type, context }) => [exact, type, context])).toEqual([
    ['/a', null, 'x:a'],
    ['/b', 'file', 'x:b'],
    ['/g', null, null],
  ]);
  expect(faults.map(({ place }) => place)).toEqual(['fc:5', 'fc:6', 'fc:7', 'fc:8', 'fc:10']);
});

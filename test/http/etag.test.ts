import { expect, test } from 'vitest';
import { expectedOf, namesStrongly, namesWeakly } from '../../server/http/etag.ts';

test.each<[string | undefined, readonly number[] | null]>([
  [undefined, null],
  ['*', null],
  [' * ', null],
  ['"17.abc-_9"', [17]],
  ['"17"', [17]],
  ['"17.a" , "18"', [17, 18]],
  ['"17.a","other", W/"19"', [17]],
  ['W/"17.a"', []],
  ['""', []],
  ['"17.a.b"', []],
  ['"-1"', []],
])('If-Match: %s', (header, revisions) => {
  expect(expectedOf(header)).toEqual(revisions);
});

test.each(['17', '"17', "'17'", '"17" "18"', '"17",', 'w/"17"', '', '"a b"', '*, "17"'])(
  'If-Match: %s is refused, not passed over',
  (header) => {
    expect(() => expectedOf(header)).toThrow(/no list of ETags/);
  },
);

test('a weak tag answers If-None-Match, never If-Match', () => {
  expect(namesWeakly('"x", W/"17.a"', '"17.a"')).toBe(true);
  expect(namesStrongly('"x", W/"17.a"', '"17.a"')).toBe(false);
  expect(namesStrongly('"x","17.a"', '"17.a"')).toBe(true);
});

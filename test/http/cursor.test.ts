import { expect, test } from 'vitest';
import { cursorOf, placeOf } from '../../server/http/cursor.ts';

test('a cursor comes back as the place that it was made of', () => {
  const place = { createdAt: 1_800_000_000_000, id: 'a31x0sh15h9w2a5e' };
  expect(placeOf(cursorOf(place) ?? undefined)).toEqual(place);
  expect(cursorOf(place)).toMatch(/^[A-Za-z0-9_-]+$/);
});

test('no cursor, and the end, are null', () => {
  expect(placeOf(undefined)).toBeNull();
  expect(cursorOf(null)).toBeNull();
});

test.each([
  '',
  'next',
  'e30',
  'WzFd',
  'WyJ4IiwieCJd',
  'WzEsIngiLDJd',
  'bnVsbA',
  '%00',
  `${'A'.repeat(9000)}`,
])('refused: %s', (cursor) => {
  expect(() => placeOf(cursor)).toThrow(/cursor is none of this server/);
});

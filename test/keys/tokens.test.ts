import { expect, test } from 'vitest';
import { newId, newToken, sha256Hex } from '../../server/keys/tokens.ts';

test('tokens and ids are new each time and fit where they are written', () => {
  const many = (make: () => string) => new Set(Array.from({ length: 500 }, make));
  expect(many(newToken).size).toBe(500);
  expect(many(newId).size).toBe(500);
  for (const token of many(newToken)) expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
  for (const id of many(newId)) expect(id).toMatch(/^[0-9a-hjkmnp-tv-z]{16}$/);
});

test('a hash is that of FIPS 180-4', () => {
  expect(sha256Hex('')).toMatch(/^e3b0c44298fc1c14/);
});

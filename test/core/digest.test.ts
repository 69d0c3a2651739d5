import { expect, test } from 'vitest';
import { parseDigest, parseImageRef } from '../../server/core/digest.ts';
import { A } from '../fixtures/hosts.ts';

test('a digest is sha256: and 64 lower-case hex digits', () => {
  expect(parseDigest(A)).toBe(A);
  for (const text of [
    A.toUpperCase(),
    A.slice(0, -1),
    `${A}a`,
    A.slice(7),
    `${A}\n`,
    `sha512:${'a'.repeat(64)}`,
  ])
    expect(parseDigest(text)).toBeNull();
});

test.each([
  ['debian-13', { kind: 'tag', name: 'debian-13', tag: 'latest' }],
  ['debian-13:v1.2_RC', { kind: 'tag', name: 'debian-13', tag: 'v1.2_RC' }],
  ['a', { kind: 'tag', name: 'a', tag: 'latest' }],
  [A, { kind: 'digest', digest: A }],
])('%s', (text, ref) => {
  expect(parseImageRef(text)).toEqual(ref);
});

test.each([
  '',
  ':',
  'a:',
  'A',
  'a/b',
  '../a',
  'a b',
  '-a',
  'a-',
  'a:b:c',
  'a:-x',
  'sha256:abc',
  'sha256',
  'a\n',
  'x'.repeat(65),
])('%j names no image', (text) => {
  expect(parseImageRef(text)).toBeNull();
});

import { expect, test } from 'vitest';
import { debianSuite } from '../../server/build/base.ts';

test.each([
  ['debian:12', 'bookworm'],
  ['debian:trixie', 'trixie'],
  ['debian:bullseye-slim', 'bullseye'],
  ['docker.io/library/debian:13', 'trixie'],
  ['debian', null],
  ['debian:sid', null],
  ['debian:12.1', null],
  ['ubuntu:22.04', null],
  ['example.com/debian:12', null],
  ['debian:constructor', null],
])('%s → %s', (name, suite) => {
  expect(debianSuite(name)).toBe(suite);
});

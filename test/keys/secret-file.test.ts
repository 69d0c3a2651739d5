import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { secretFile } from '../../server/keys/secret-file.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'warmboot-keys-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

test('a secret is made once, for its owner alone', () => {
  const file = join(dir, 'keys', 'secret');
  expect(secretFile(file, () => 'one')).toEqual({ text: 'one', isNew: true });
  expect(secretFile(file, () => 'two')).toEqual({ text: 'one', isNew: false });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(join(dir, 'keys')).mode & 0o777).toBe(0o700);
  expect(existsSync(`${file}.tmp`)).toBe(false);
});

test('a rest of an earlier attempt lends neither its text nor its mode', () => {
  const file = join(dir, 'secret');
  writeFileSync(`${file}.tmp`, 'half a secret that was longer');
  chmodSync(`${file}.tmp`, 0o644);
  secretFile(file, () => 'whole');
  expect(readFileSync(file, 'utf8')).toBe('whole');
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('what cannot be read is not replaced', () => {
  expect(() => secretFile(dir, () => 'x')).toThrow(/EISDIR/);
});

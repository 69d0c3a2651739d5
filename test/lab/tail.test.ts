import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { plainText, Tail } from '../../lab/tail.ts';

let folder = '';
let file = '';
let tail: Tail;
let lines: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'warmboot-tail-'));
  file = join(folder, 'log');
  lines = [];
  // It never comes to look by itself: what is seen was asked for.
  tail = new Tail(file, (line) => lines.push(line), 1_000_000);
});
afterEach(() => {
  tail.close();
  rmSync(folder, { recursive: true });
});

test('a file that is not there yet has no lines, and then those that were written', () => {
  tail.read();
  expect(lines).toEqual([]);
  appendFileSync(file, 'one\ntwo\n');
  tail.read();
  expect(lines).toEqual(['one', 'two']);
});

test('half a line waits for its end, also inside a character', () => {
  const bytes = Buffer.from('größe\nnext\n');
  appendFileSync(file, bytes.subarray(0, 3));
  tail.read();
  expect(lines).toEqual([]);
  appendFileSync(file, bytes.subarray(3));
  tail.read();
  expect(lines).toEqual(['größe', 'next']);
});

test('more than is read at once', () => {
  const long = 'x'.repeat(300_000);
  appendFileSync(file, `${long}\n${long}\n`);
  tail.read();
  expect(lines).toEqual([long, long]);
});

test('what was written last is read when it ends, and no line comes twice', () => {
  appendFileSync(file, 'one\n');
  tail.read();
  appendFileSync(file, 'two\n');
  tail.close();
  tail.close();
  expect(lines).toEqual(['one', 'two']);
});

test('a line of a console without its colours and its padding', () => {
  expect(plainText('\x1b[1;32mok\x1b[0m   ')).toBe('ok');
});

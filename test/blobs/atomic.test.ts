import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ensureFolder, writeStream } from '../../server/blobs/atomic.ts';
import { diskCalls } from '../fixtures/disk-calls.ts';

vi.mock('node:fs/promises', async (original) =>
  (await import('../fixtures/disk-calls.ts')).noting(original as never),
);

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'warmboot-atomic-'));
  diskCalls.length = 0;
});
afterEach(() => rmSync(root, { recursive: true }));

test('each folder that is made is synced into the one above it', async () => {
  await ensureFolder(join(root, 'data', 'packs'), 0o700);
  expect(diskCalls).toEqual(['sync data', `sync ${basename(root)}`]);
  expect(statSync(join(root, 'data', 'packs')).mode & 0o777).toBe(0o700);
});

test('a folder that is there may have been made a moment ago by another process that has not synced it yet', async () => {
  mkdirSync(join(root, 'packs'));
  await ensureFolder(join(root, 'packs'));
  expect(diskCalls).toEqual([`sync ${basename(root)}`]);
});

test('a stream is whole and synced when it is said to be written, and is for its owner alone', async () => {
  async function* pieces() {
    yield Buffer.from('one ');
    yield Buffer.from('two');
  }
  const path = join(root, 'x.part');
  await writeStream(path, pieces(), 0o600);
  expect(readFileSync(path, 'utf8')).toBe('one two');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(diskCalls).toEqual(['sync x.part']);
});

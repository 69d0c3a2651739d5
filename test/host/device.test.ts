import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makePlayedPart } from './played-part.ts';

/** The helper's device over a disk that refuses what it was given, with sanitizers. */

let root: string;
let program: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'warmboot-device-'));
  program = await makePlayedPart(root, 'device', ['sync_file_range', 'fsync']);
  writeFileSync(join(root, 'disk'), '');
  truncateSync(join(root, 'disk'), 64 * 2 ** 20);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

// The kernel says it once, to whoever waits first: while it is written, or at the end.
test.each([
  ['is being waited for, in the midst of it', 3, {}, 'writing at offset 0'],
  ['is synced, when little was written', 1, {}, 'syncing at offset 0'],
  ['is synced, where a part cannot be waited for', 3, { PLAYED_OLD: 'yes' }, 'syncing at offset 0'],
])('what the disk refuses is told when it %s', async (_, pushes, env, said) => {
  const { exitCode, stdout } = await execa(program, [join(root, 'disk'), String(pushes)], {
    env,
    reject: false,
  });
  expect([exitCode, stdout]).toEqual([
    5,
    expect.stringMatching(new RegExp(`^${said} of .*/disk failed \\(Input/output error\\)`)),
  ]);
});

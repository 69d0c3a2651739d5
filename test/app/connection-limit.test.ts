import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connectionLimit } from '../../server/app/connection-limit.ts';

test.each([
  ['1024', 512],
  ['4096', 2_048],
  ['20000', 15_904],
  ['1048576', 20_000],
  ['unlimited', 20_000],
  ['64', 128],
])('of %s files that may be open, %d may be connections', async (files, connections) => {
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-limits-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(
    join(folder, 'limits'),
    `Limit  Soft Limit  Hard Limit  Units\nMax open files   ${files}    524288   files\n`,
  );
  expect(await connectionLimit(1, join(folder, 'limits'))).toBe(connections);
});

test('two listeners share where there are few files, and each has enough where there are many', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-limits-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const of = (files: number) => {
    writeFileSync(join(folder, 'limits'), `Max open files   ${files}  ${files}  files\n`);
    return connectionLimit(2, join(folder, 'limits'));
  };
  expect([await of(20_000), await of(65_536)]).toEqual([7_952, 20_000]);
});

test('where nobody says, there are few', async () => {
  expect(await connectionLimit(1, '/nowhere')).toBe(128);
});

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { buildLogs } from '../../server/build/build-logs.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'warmboot-logs-'));
afterAll(() => rmSync(dataDir, { recursive: true }));
const logs = buildLogs(dataDir);

async function read(id: string) {
  const entries: unknown[] = [];
  for await (const entry of logs.read(id)) entries.push(entry);
  return entries;
}

test('what a build wrote is read back; a line that a crash cut off is left out', async () => {
  mkdirSync(join(dataDir, 'builds/one'), { recursive: true });
  const first = { phase: 'docker', message: 'a "b"\u2028', stepsDone: 1, stepsTotal: 2 };
  writeFileSync(
    join(dataDir, 'builds/one/log'),
    `${JSON.stringify(first)}\n{"end":"no"}\n{"phase":"pack","mess`,
  );
  expect(await read('one')).toEqual([first]);
  expect(await read('none')).toEqual([]);
});

test('only what is kept stays', async () => {
  mkdirSync(join(dataDir, 'builds/two/work'), { recursive: true });
  await logs.keepOnly((id) => id === 'one');
  expect(['one', 'two'].map((id) => existsSync(join(dataDir, 'builds', id)))).toEqual([true, false]);
  await expect(buildLogs(join(dataDir, 'nowhere')).keepOnly(() => false)).resolves.toBeUndefined();
});

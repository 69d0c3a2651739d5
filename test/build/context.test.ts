import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { contextTar } from '../../server/build/context.ts';
import { scanTar } from '../../server/build/tar-scan.ts';

const root = mkdtempSync(join(tmpdir(), 'warmboot-context-'));
afterAll(() => rmSync(root, { recursive: true }));

function folder(name: string, order: readonly string[], time: number, mode: number): string {
  const path = join(root, name);
  mkdirSync(join(path, 'sub'), { recursive: true });
  for (const file of order) {
    writeFileSync(join(path, file), file);
    chmodSync(join(path, file), mode);
    utimesSync(join(path, file), time, time);
  }
  chmodSync(join(path, 'run.sh'), 0o755);
  symlinkSync('run.sh', join(path, 'link'));
  return path;
}

async function bytes(path: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of contextTar(path)) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

test('the same files give the same tar, whoever made them and when', async () => {
  const names = ['Dockerfile', 'run.sh', 'sub/b', 'sub/a', 'é'];
  const one = await bytes(folder('one', names, 1000, 0o600));
  const two = await bytes(folder('two', [...names].reverse(), 2_000_000, 0o664));
  expect(createHash('sha256').update(one).digest('hex')).toBe(createHash('sha256').update(two).digest('hex'));
  writeFileSync(join(root, 'one.tar'), one);
  const entries = [...scanTar({ path: join(root, 'one.tar'), offset: 0, bytes: one.length })];
  expect(entries.map(({ path, mode, uid, mtime }) => [path.replace(/\/$/, ''), mode, uid, mtime])).toEqual([
    ['Dockerfile', 0o644, 0, 0],
    ['link', 0o777, 0, 0],
    ['run.sh', 0o755, 0, 0],
    ['sub', 0o755, 0, 0],
    ['sub/a', 0o644, 0, 0],
    ['sub/b', 0o644, 0, 0],
    [Buffer.from('é').toString('latin1'), 0o644, 0, 0],
  ]);
});

test('a folder that is not there is an error of the stream', async () => {
  await expect(bytes(join(root, 'none'))).rejects.toThrow('ENOENT');
});

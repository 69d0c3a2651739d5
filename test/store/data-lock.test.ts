import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockData } from '../../server/store/data-lock.ts';

let dir: string;
let child: ChildProcess | null = null;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'warmboot-lock-'));
});
afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(dir, { recursive: true });
});

/** Another process that says whether it holds the lock, and keeps it. */
async function otherProcess(file: string): Promise<string> {
  const module = join(import.meta.dirname, '../../server/store/data-lock.ts');
  // What nobody refers to is collected before it speaks: the lock must not go with it.
  const code = `import(${JSON.stringify(module)}).then(({ lockData }) => {
    const said = lockData(${JSON.stringify(file)}) ? 'held' : 'refused';
    setTimeout(() => { gc(); setTimeout(() => console.log(said), 50); }, 50);
    setInterval(() => {}, 1000); })`;
  child = spawn(process.execPath, ['--expose-gc', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [text] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  return text.toString().trim();
}

test('a folder has one writer; SIGKILL sets it free', async () => {
  const file = join(dir, 'lock.db');
  expect(await otherProcess(file)).toBe('held');
  expect(lockData(file)).toBeNull();
  child?.kill('SIGKILL');
  await once(child as ChildProcess, 'exit');
  const unlock = lockData(file);
  expect(unlock).not.toBeNull();
  expect(await otherProcess(file)).toBe('refused');
  unlock?.();
});

test('a second holder in the same process is refused too', () => {
  const unlock = lockData(join(dir, 'lock.db'));
  expect(lockData(join(dir, 'lock.db'))).toBeNull();
  unlock?.();
  const again = lockData(join(dir, 'lock.db'));
  expect(again).not.toBeNull();
  again?.();
});

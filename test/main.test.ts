import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { storeImage, type TestImage } from './fixtures/running-server.ts';

/** The program as a user starts it: what only `main.ts` sees, and mistakes that reach the real filesystem. */

const ROOT = join(import.meta.dirname, '..');

let folder: string;
let one: TestImage;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'warmboot-main-'));
  mkdirSync(join(folder, 'data'));
  one = await storeImage(join(folder, 'data'), 'one');
  await storeImage(join(folder, 'data'), 'installer', 'installer');
});
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

const PROGRAM = `"${process.execPath}" server/main.ts`;
const env = () => ({
  PATH: process.env.PATH,
  HOME: folder,
  TMPDIR: folder,
  WARMBOOT_DATA: at('data'),
  at: folder,
});

/** @param line for a shell, with `warmboot` in it and `$at`, the folder of the tests */
function sh(line: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const script = `set -o pipefail\nwarmboot() { ${PROGRAM} "$@"; }\n${line}`;
  return new Promise((resolve) => {
    execFile('bash', ['-c', script], { cwd: ROOT, env: env() }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

test('a standard output that takes nothing: one sentence', async () => {
  for (const line of ['warmboot images >/dev/full', 'warmboot image export one - >/dev/full']) {
    const { code, stderr } = await sh(line);
    expect([code, stderr], line).toEqual([
      1,
      expect.stringMatching(
        /^(export: .*\n)*warmboot: standard output cannot be written: no space is left there\..*\n$/,
      ),
    ]);
  }
});

test('a reader that has had enough is no error worth words', async () => {
  const { stderr } = await sh('warmboot image export one - | head -c 100 | wc -c');
  expect(stderr.replaceAll(/^export: .*\n/gm, '')).toBe('');
});

test('import reads pipes and standard input, and leaves nothing behind', async () => {
  const exported = await sh('warmboot image export one "$at/one.tar"');
  expect(exported.code).toBe(0);
  const before = readdirSync(folder).toSorted();
  for (const line of [
    'cat "$at/one.tar" | warmboot image import -',
    'warmboot image import - <"$at/one.tar"',
    'cat "$at/one.tar" | warmboot image import /dev/stdin --name again:2',
  ]) {
    const { code, stdout, stderr } = await sh(line);
    expect([code, stdout], `${line}: ${stderr}`).toEqual([0, `${one.digest}\n`]);
  }
  expect(readdirSync(folder).toSorted()).toEqual(before);
});

test.each([
  ['warmboot image export one "$at"', 'is a folder'],
  ['warmboot image export one ""', 'It is a path'],
  ['warmboot disk two-slots --slot a=one -o ""', 'It is a path'],
  ['warmboot image import "$at"', 'is a folder'],
  ['warmboot image import ""', 'It is a path'],
  ['warmboot image import "$at/none.tar"', 'none.tar cannot be read'],
  ['warmboot image import /dev/null', 'is no image that warmboot exported'],
  ['warmboot image import "$at/one.tar" --name a:b:c', 'It is NAME or NAME:TAG'],
  ['warmboot images --data /dev/null', 'The data folder /dev/null cannot be used'],
  ['warmboot images --data ""', 'It is a path'],
  ['WARMBOOT_IMAGES="$at/none" warmboot images', 'none/disks'],
])('%s is said in a sentence', async (line, sentence) => {
  const { code, stdout, stderr } = await sh(line);
  expect([1, 2]).toContain(code);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^warmboot: .*\n$/);
  expect(stderr).toContain(sentence);
});

test.each(['warmboot.db', 'lock.db'])('a damaged %s is said in a sentence', async (name) => {
  mkdirSync(at(`damaged-${name}`));
  writeFileSync(join(at(`damaged-${name}`), name), 'no database at all\n'.repeat(100));
  const { code, stderr } = await sh(`warmboot images --data "$at/damaged-${name}"`);
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/^warmboot: The database in .* is damaged .*\n$/),
  ]);
  expect(readFileSync(join(at(`damaged-${name}`), name), 'utf8')).toContain('no database at all');
});

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('%s ends a command with %i', async (signal, code) => {
  const child = spawn(process.execPath, ['server/main.ts', 'image', 'import', '-'], {
    cwd: ROOT,
    env: env(),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const began = readdirSync(folder).length;
  child.stdin.write('x');
  // It waits for its input once it has a file for it, whose name is gone already.
  const files = `/proc/${child.pid}/fd`;
  const copies = () =>
    readdirSync(files).filter((fd) => {
      try {
        return readlinkSync(join(files, fd)).includes('.part (deleted)');
      } catch {
        return false;
      }
    });
  await expect.poll(copies).not.toEqual([]);
  child.kill(signal);
  const [exitCode] = await once(child, 'exit');
  expect(exitCode).toBe(code);
  expect(readdirSync(folder)).toHaveLength(began);
});

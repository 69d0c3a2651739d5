import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ENTRIES, writeBundle } from '../packaging/bundle.ts';

const ROOT = join(import.meta.dirname, '..');
const CHILDREN = ENTRIES.filter((name) => name !== 'start');

let folder: string;
beforeAll(async () => {
  mkdirSync(join(ROOT, 'dist'), { recursive: true });
  folder = mkdtempSync(join(ROOT, 'dist/test-'));
  await writeBundle(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(name: string): ChildProcess {
  return fork(join(folder, `${name}.js`), { execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
}

test('each program that is forked has an entry in the bundle', () => {
  const sources = readdirSync(join(ROOT, 'server')).filter((name) => name.endsWith('-child.ts'));
  expect(sources.length).toBeGreaterThan(0);
  expect(CHILDREN.map((name) => `${name}.ts`).sort()).toEqual(sources.sort());
});

test.each(CHILDREN)('%s starts from the bundle and ends when its parent is gone', async (name) => {
  const child = start(name);
  const said = child.stderr ? text(child.stderr) : '';
  const ended = once(child, 'exit');
  child.disconnect();
  const [, signal] = await ended;
  expect({ signal, said: await said }).toEqual({ signal: null, said: '' });
});

test('the stack trace of a mistake points at the line of the source', async () => {
  const child = start('build-child');
  const said = child.stderr ? text(child.stderr) : '';
  child.send({ type: 'start' });
  await once(child, 'exit');
  const lines = readFileSync(join(ROOT, 'server/build-child.ts'), 'utf8').split('\n');
  const line = lines.findIndex((each) => each.includes('buildFolderOf(dataDir, request.id)')) + 1;
  expect(await said).toMatch(
    new RegExp(`TypeError: .*\\n +at run \\(server/build-child\\.ts:${line}:\\d+\\)`),
  );
});

test('the command line runs from the bundle, with the files of the checkout', async () => {
  const data = join(folder, 'data');
  const run = (...args: string[]) =>
    execa(process.execPath, [join(folder, 'start.js'), ...args], { cwd: '/' });
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect((await run('--version')).stdout).toBe(version);
  // Its own server on a new data folder: migrations, pages and the compiled SQLite are found.
  expect((await run('hosts', '--json', '--data', data)).stdout).toContain('[');
});

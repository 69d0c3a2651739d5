import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFile } from '../../server/cli/output-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'warmboot-output-'));
});
afterEach(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

/** Writes a whole file. */
async function put(path: string, content: string | Buffer): Promise<void> {
  const file = await createFile(path);
  await file.write(Buffer.from(content));
  await file.finish();
}

test('what is no file is refused and stays what it is', async () => {
  execFileSync('mkfifo', [at('fifo')]);
  mkdirSync(at('folder'));
  symlinkSync('/dev/null', at('null'));
  symlinkSync(at('folder'), at('to-folder'));
  symlinkSync(at('nowhere'), at('dangling'));
  for (const [path, what] of [
    ['/dev/null', 'a device'],
    [at('null'), 'a device'],
    [at('fifo'), 'a pipe'],
    [at('folder'), 'a folder'],
    [at('to-folder'), 'a folder'],
    [at('dangling'), 'a link to nothing'],
  ] as const)
    await expect(createFile(path), path).rejects.toThrow(`${path} is ${what}`);
  expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  expect(statSync(at('fifo')).isFIFO()).toBe(true);
  expect(readdirSync(folder).toSorted()).toEqual(['dangling', 'fifo', 'folder', 'null', 'to-folder']);
});

test('a link to a file stays a link, and its file is replaced with the mode that it had', async () => {
  mkdirSync(at('there'));
  writeFileSync(at('there/file'), 'older');
  chmodSync(at('there/file'), 0o600);
  symlinkSync('there/file', at('link'));
  await put(at('link'), 'newer');
  expect(lstatSync(at('link')).isSymbolicLink()).toBe(true);
  expect(readFileSync(at('there/file'), 'utf8')).toBe('newer');
  expect(statSync(at('there/file')).mode & 0o777).toBe(0o600);
  expect(readdirSync(at('there'))).toEqual(['file']);
});

test('two at once do not mix: the file is the one of the later', async () => {
  const [one, two] = [await createFile(at('file')), await createFile(at('file'))];
  await one.write(Buffer.from('one '));
  await two.write(Buffer.from('two '));
  await one.write(Buffer.from('one'));
  await two.write(Buffer.from('two'));
  await one.finish();
  expect(readFileSync(at('file'), 'utf8')).toBe('one one');
  await two.finish();
  expect(readFileSync(at('file'), 'utf8')).toBe('two two');
  expect(readdirSync(folder)).toEqual(['file']);
});

test('given up, or impossible to name, nothing of it stays', async () => {
  writeFileSync(at('file'), 'older');
  const file = await createFile(at('file'));
  await file.write(Buffer.from('newer'));
  await file.discard();
  await file.discard();
  expect(readFileSync(at('file'), 'utf8')).toBe('older');

  const late = await createFile(at('late'));
  mkdirSync(at('late'));
  await expect(late.finish()).rejects.toThrow(`${at('late')} cannot be written`);
  await late.discard();
  expect(readdirSync(folder).toSorted()).toEqual(['file', 'late']);
});

test('once it is finished, discarding it does nothing', async () => {
  const file = await createFile(at('file'));
  await file.write(Buffer.from('whole'));
  await file.finish();
  await file.discard();
  expect(readFileSync(at('file'), 'utf8')).toBe('whole');
});

test('a name as long as the filesystem allows', async () => {
  await put(at('n'.repeat(255)), 'x');
  expect(readdirSync(folder)).toEqual(['n'.repeat(255)]);
});

test('zeros take no room, at the end neither', async () => {
  const content = Buffer.alloc(8 << 20);
  content.write('in the middle', 5 << 20);
  await put(at('sparse'), content);
  expect(readFileSync(at('sparse')).equals(content)).toBe(true);
  expect(statSync(at('sparse')).blocks * 512).toBeLessThan(1 << 20);
});

test('a folder that is not there is named', async () => {
  await expect(createFile(at('none/file'))).rejects.toThrow(`the folder ${at('none')} does not exist`);
});

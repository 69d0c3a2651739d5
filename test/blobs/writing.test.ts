import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeAtomic, writeSynced } from '../../server/blobs/atomic.ts';
import { discardDraft, draftImage } from '../../server/blobs/image-draft.ts';
import { imageFiles } from '../../server/blobs/image-files.ts';
import { packReaders } from '../../server/blobs/pack-readers.ts';
import { imageFolder, packPath } from '../../server/blobs/places.ts';
import { sweep } from '../../server/blobs/sweep.ts';
import type { Digest } from '../../server/core/digest.ts';
import { sha256, testIndex } from '../fixtures/store-images.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'warmboot-blobs-'));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const DIGEST = `sha256:${'1'.repeat(64)}`;
const filesIn = () => imageFiles(dataDir, packReaders());
const { text: INDEX, digest: IMAGE } = testIndex({ kernel: 'kernel', initrd: 'initrd' });
const FOLDER = `images/${IMAGE.slice('sha256:'.length)}`;

/** A sealed draft with these files and one frame. */
async function sealed(build: string, content: Record<string, string>, frame = build) {
  const draft = await draftImage(dataDir, build);
  for (const [name, text] of Object.entries(content)) await writeSynced(join(draft.folder, name), text);
  await draft.append(Buffer.from(frame));
  await draft.seal({ 'index.json': INDEX });
}

/** Every file below the data folder. */
function files(): string[] {
  return readdirSync(dataDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dataDir.length + 1))
    .sort();
}

test('a draft that cannot begin leaves nothing', async () => {
  writeFileSync(join(dataDir, 'packs'), '');
  await expect(draftImage(dataDir, 'build-1')).rejects.toThrow();
  expect(readdirSync(join(dataDir, 'images'))).toEqual([]);
});

test('an image is visible when published, with its pack, and not before', async () => {
  const draft = await draftImage(dataDir, 'build-1');
  expect(await draft.append(Buffer.from('frame one'))).toBe(0);
  expect(await draft.append(Buffer.alloc(3 << 20, 7))).toBe(9);
  expect(await draft.append(Buffer.from('last'))).toBe(9 + (3 << 20));
  await writeSynced(join(draft.folder, 'kernel'), 'kernel');
  await writeSynced(join(draft.folder, 'initrd'), 'initrd');
  expect(await draft.seal({ 'index.json': INDEX })).toEqual({ packBytes: 9 + (3 << 20) + 4 });
  expect(files().every((path) => path.includes('tmp'))).toBe(true);
  expect((await filesIn().publish('build-1', IMAGE)).kernel.sha256).toBe(sha256('kernel'));
  expect(files()).toEqual([
    `${FOLDER}/index.json`,
    `${FOLDER}/initrd`,
    `${FOLDER}/kernel`,
    'packs/build-1.pack',
  ]);
  const pack = readFileSync(packPath(dataDir, 'build-1'));
  expect(pack.subarray(0, 9).toString()).toBe('frame one');
  expect(pack.subarray(-4).toString()).toBe('last');
});

test('no frame, no pack', async () => {
  const draft = await draftImage(dataDir, 'b');
  expect(await draft.seal({})).toEqual({ packBytes: 0 });
  expect(files().filter((path) => path.startsWith('packs/'))).toEqual([]);
});

test('discarding leaves nothing, published or not', async () => {
  const draft = await draftImage(dataDir, 'b');
  await draft.append(Buffer.from('x'));
  await draft.discard();
  await draft.discard();
  expect(files()).toEqual([]);
  const killed = await draftImage(dataDir, 'c');
  await killed.append(Buffer.alloc(2 << 20));
  await discardDraft(dataDir, 'c');
  expect(files()).toEqual([]);
  await killed.discard();
});

test('a draft of another image is not published under this digest', async () => {
  await sealed('a', { kernel: 'kernel', initrd: 'initrd' });
  await expect(filesIn().publish('a', DIGEST as Digest)).rejects.toThrow('another image');
  expect(existsSync(imageFolder(dataDir, DIGEST))).toBe(false);
});

test('a folder that is there is never moved: what is whole stays, what is damaged is replaced', async () => {
  await sealed('a', { kernel: 'kernel', initrd: 'initrd' });
  await filesIn().publish('a', IMAGE);
  const folder = imageFolder(dataDir, IMAGE);
  const before = { folder: statSync(folder).ino, kernel: statSync(join(folder, 'kernel')).ino };
  writeFileSync(join(folder, 'initrd'), 'init?d');
  const reading = openSync(join(folder, 'initrd'), 'r');
  await sealed('b', { kernel: 'kernel', initrd: 'initrd' });
  await filesIn().publish('b', IMAGE);
  expect({ folder: statSync(folder).ino, kernel: statSync(join(folder, 'kernel')).ino }).toEqual(before);
  expect(readFileSync(join(folder, 'initrd'), 'utf8')).toBe('initrd');
  expect(readFileSync(reading, 'utf8')).toBe('init?d');
  closeSync(reading);
  expect(readdirSync(join(dataDir, 'images'))).toEqual([IMAGE.slice('sha256:'.length)]);
});

test('a pack is removed when its last reader has ended', async () => {
  const readers = packReaders();
  await sealed('a', { kernel: 'kernel', initrd: 'initrd' });
  const shelf = imageFiles(dataDir, readers);
  await shelf.publish('a', IMAGE);
  const [first, second] = [readers.hold(['a', 'b']), readers.hold(['a'])];
  await shelf.removePack('a');
  first();
  first();
  await new Promise((resolve) => setImmediate(resolve));
  expect(existsSync(packPath(dataDir, 'a'))).toBe(true);
  second();
  await expect.poll(() => existsSync(packPath(dataDir, 'a'))).toBe(false);
});

test('an image is removed as a whole, and what is not there needs no removing', async () => {
  await sealed('a', { kernel: 'kernel', initrd: 'initrd' });
  const shelf = filesIn();
  await shelf.publish('a', IMAGE);
  expect(await shelf.removeImage(IMAGE)).toBe(INDEX.length + 'kernelinitrd'.length);
  expect(await shelf.removeImage(IMAGE)).toBe(0);
  expect(files()).toEqual(['packs/a.pack']);
});

test('a sweep removes what no row knows and leaves what runs', async () => {
  const touch = (path: string) => {
    mkdirSync(join(dataDir, path, '..'), { recursive: true });
    writeFileSync(join(dataDir, path), 'x');
  };
  const keep = [
    'packs/known.pack',
    'packs/running.pack.tmp',
    'packs/notes.txt',
    `images/${'1'.repeat(64)}/index.json`,
    'images/.tmp-running/kernel',
    'builds/old/log',
    'builds/running/work/x',
  ];
  const doomed = [
    'packs/orphan.pack',
    'packs/dead.pack.tmp',
    'images/.tmp-dead/kernel',
    'images/.tmp-gone-1/kernel',
    'builds/old/work/saved.tar',
  ];
  for (const path of [...keep, ...doomed, `images/${'2'.repeat(64)}/index.json`]) touch(path);
  const known = {
    packIds: new Set(['known']),
    digests: new Set([DIGEST]),
    runningBuilds: new Set(['running']),
  };
  await sweep(dataDir, known);
  // The unknown image may be the one that the running build is about to commit.
  expect(files()).toEqual([...keep, `images/${'2'.repeat(64)}/index.json`].sort());
  await sweep(dataDir, { ...known, runningBuilds: new Set() });
  expect(files()).toEqual([
    'builds/old/log',
    `images/${'1'.repeat(64)}/index.json`,
    'packs/known.pack',
    'packs/notes.txt',
  ]);
});

test('a sweep of an empty data folder', async () => {
  expect(await sweep(dataDir, { packIds: new Set(), digests: new Set(), runningBuilds: new Set() })).toEqual(
    [],
  );
});

test('an atomic write replaces, and a failed one leaves the old content', async () => {
  const path = join(dataDir, 'file');
  writeFileSync(`${path}.tmp`, 'left by a crash');
  await writeAtomic(path, 'one');
  await writeAtomic(path, 'two', 0o600);
  expect(readFileSync(path, 'utf8')).toBe('two');
  await expect(writeAtomic(join(dataDir, 'none/file'), 'x')).rejects.toThrow('ENOENT');
  expect(readdirSync(dataDir)).toEqual(['file']);
});

test('names from outside never become paths', () => {
  expect(() => packPath(dataDir, '../x')).toThrow('not an id');
  expect(() => imageFolder(dataDir, 'sha256:../x')).toThrow('not a digest');
});

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeAtomic, writeSynced } from '../../server/blobs/atomic.ts';
import { discardDraft, draftImage } from '../../server/blobs/image-draft.ts';
import { imageFolder, packPath } from '../../server/blobs/places.ts';
import { sweep } from '../../server/blobs/sweep.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'warmboot-blobs-'));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const DIGEST = `sha256:${'1'.repeat(64)}`;
const texts = (frames: string) => ({ 'index.json': 'index', 'frames.json': frames });

/** Every file below the data folder. */
function files(): string[] {
  return readdirSync(dataDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dataDir.length + 1))
    .sort();
}

test('an image is visible when published, with its pack, and not before', async () => {
  const draft = await draftImage(dataDir, 'build-1');
  expect(await draft.append(Buffer.from('frame one'))).toBe(0);
  expect(await draft.append(Buffer.alloc(3 << 20, 7))).toBe(9);
  expect(await draft.append(Buffer.from('last'))).toBe(9 + (3 << 20));
  await writeSynced(join(draft.folder, 'kernel'), 'kernel');
  expect(existsSync(imageFolder(dataDir, DIGEST)) || existsSync(packPath(dataDir, 'build-1'))).toBe(false);
  expect(await draft.publish(DIGEST, texts('f'))).toEqual({ packBytes: 9 + (3 << 20) + 4 });
  expect(files()).toEqual([
    `images/${'1'.repeat(64)}/frames.json`,
    `images/${'1'.repeat(64)}/index.json`,
    `images/${'1'.repeat(64)}/kernel`,
    'packs/build-1.pack',
  ]);
  const pack = readFileSync(packPath(dataDir, 'build-1'));
  expect(pack.subarray(0, 9).toString()).toBe('frame one');
  expect(pack.subarray(-4).toString()).toBe('last');
});

test('no frame, no pack', async () => {
  const draft = await draftImage(dataDir, 'b');
  expect(await draft.publish(DIGEST, texts('f'))).toEqual({ packBytes: 0 });
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

test('an image that is there stays; a left-over with other frames is replaced', async () => {
  const publish = async (build: string, frames: string, kernel: string) => {
    const draft = await draftImage(dataDir, build);
    await writeSynced(join(draft.folder, 'kernel'), kernel);
    await draft.publish(DIGEST, texts(frames));
    return readFileSync(join(imageFolder(dataDir, DIGEST), 'kernel'), 'utf8');
  };
  expect(await publish('a', 'frames', 'first')).toBe('first');
  expect(await publish('b', 'frames', 'second')).toBe('first');
  expect(await publish('c', 'other frames', 'third')).toBe('third');
  expect(readdirSync(join(dataDir, 'images'))).toEqual(['1'.repeat(64)]);
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
    'images/.tmp-dead-old/kernel',
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

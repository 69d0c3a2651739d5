import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkChunks, checkFiles } from '../../server/blobs/check.ts';
import { uploadFiles } from '../../server/blobs/upload-draft.ts';
import { type UploadContext, uploadCases } from '../../server/control/uploads.ts';
import type { UploadFiles } from '../../server/core/file-ports.ts';
import { sentChunk } from '../fixtures/frames.ts';
import { ALICE } from '../fixtures/hosts.ts';
import { sha256, testIndex } from '../fixtures/store-images.ts';
import { type StoreWorld, storeWorld } from '../fixtures/store-world.ts';

let world: StoreWorld;
beforeEach(() => {
  world = storeWorld();
});
afterEach(async () => {
  await world.close();
  world.discard();
});

const HOUR = 60 * 60_000;

function cases(files: UploadFiles = uploadFiles(world.dataDir), more: Partial<UploadContext> = {}) {
  const time = { now: 0 };
  const uploads = uploadCases({
    ...world,
    files,
    startChecker: () => ({
      chunks: (chunks, draft = null) => checkChunks(world.dataDir, chunks, draft),
      files: (digest, draft = null) => checkFiles(world.dataDir, digest, draft),
      close() {},
    }),
    clock: () => time.now,
    sha256Hex: sha256,
    ...more,
  });
  return { uploads, time };
}

async function* body(...parts: Buffer[]): AsyncGenerator<Buffer> {
  yield* parts;
}

/** What lies under temporary names. */
const drafts = () =>
  ['images', 'packs'].flatMap((folder) =>
    readdirSync(join(world.dataDir, folder)).filter((name) => name.includes('tmp')),
  );

test('an upload that nobody goes on with expires, and gives back what it held', async () => {
  const { uploads, time } = cases();
  await world.build('one', { chunks: ['a', 'b'] });
  const { id, missing } = await uploads.begin(testIndex({ chunks: ['a', 'b', 'c'] }).text, 'x', 'latest');
  expect(missing).toHaveLength(1);
  await world.remove('os:one');
  expect((await world.store.upkeep.totals()).chunks).toBe(2);
  time.now = HOUR - 1;
  await uploads.expire();
  await uploads.find(id);
  time.now += HOUR;
  await uploads.expire();
  await expect(uploads.find(id)).rejects.toMatchObject({ code: 'not-found' });
  expect(drafts()).toEqual([]);
  await world.keeper.collect();
  expect((await world.store.upkeep.totals()).chunks).toBe(0);
});

test('a chunk that was answered "stored" is there at the commit, whatever was removed meanwhile', async () => {
  const { uploads } = cases();
  await world.build('one', { chunks: ['a', 'b'], kernel: 'other' });
  const { id, digest } = await uploads.begin(testIndex({ chunks: ['a', 'b', 'c'] }).text, 'x', 'latest');
  await world.remove('os:one');
  await uploads.putFile(id, 'kernel', 0, body(Buffer.from('kernel')));
  await uploads.putFile(id, 'initrd', 0, body(Buffer.from('init'), Buffer.from('rd')));
  await uploads.putFrames(id, body(sentChunk('c')));
  expect(await uploads.commit(ALICE, id)).toBe(digest);
  await world.keeper.collect();
  expect((await world.verify()).damage).toEqual([]);
  expect((await world.store.image({ kind: 'tag', name: 'x', tag: 'latest' }))?.digest).toBe(digest);
});

test('the same image stays while it is sent again, though its last tag goes', async () => {
  const { uploads } = cases();
  const digest = await world.build('one', { chunks: ['a'] });
  const { id, files } = await uploads.begin(testIndex({ chunks: ['a'] }).text, 'x', 'latest');
  expect(files).toEqual([]);
  expect(await world.remove('os:one')).toMatchObject({ isGone: false, keptFor: [] });
  expect(await uploads.commit(ALICE, id)).toBe(digest);
  await world.keeper.collect();
  expect((await world.store.image({ kind: 'digest', digest }))?.tags).toHaveLength(1);
});

test('two uploads of one image at once: both commit, one is stored', async () => {
  const { uploads } = cases();
  const { text, digest } = testIndex({ chunks: ['a', 'b'] });
  const ids = await Promise.all(['x', 'y'].map(async (name) => (await uploads.begin(text, name, '1')).id));
  for (const id of ids) {
    await uploads.putFile(id, 'kernel', 0, body(Buffer.from('kernel')));
    await uploads.putFile(id, 'initrd', 0, body(Buffer.from('initrd')));
    await uploads.putFrames(id, body(sentChunk('a'), sentChunk('b')));
  }
  expect(await Promise.all(ids.map((id) => uploads.commit(ALICE, id)))).toEqual([digest, digest]);
  expect(await world.store.packIds()).toHaveLength(1);
  expect(readdirSync(join(world.dataDir, 'packs'))).toHaveLength(1);
  expect((await world.store.image({ kind: 'digest', digest }))?.tags).toHaveLength(2);
});

test('a full disk is said; what has come stays, and the rest can be sent when there is room', async () => {
  const real = uploadFiles(world.dataDir);
  let isFull = true;
  const { uploads } = cases({
    begin: async (id, text) => {
      const draft = await real.begin(id, text);
      const append = (frame: Uint8Array) =>
        isFull ? Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })) : draft.append(frame);
      return { ...draft, append };
    },
  });
  const { id } = await uploads.begin(testIndex({ chunks: ['a'] }).text, 'x', '1');
  await uploads.putFile(id, 'kernel', 0, body(Buffer.from('kernel')));
  await uploads.putFile(id, 'initrd', 0, body(Buffer.from('initrd')));
  await expect(uploads.putFrames(id, body(sentChunk('a')))).rejects.toMatchObject({ code: 'unavailable' });
  isFull = false;
  expect((await uploads.putFrames(id, body(sentChunk('a')))).missingChunks).toBe(0);
  await uploads.commit(ALICE, id);
});

test('no OS comes under the name that machines netboot into', async () => {
  const { uploads } = cases();
  const refused = { code: 'invalid', message: expect.stringContaining('cannot be installer:latest') };
  await expect(uploads.begin(testIndex({}).text, 'installer', 'latest')).rejects.toMatchObject(refused);
  await uploads.begin(testIndex({}).text, 'installer', 'experiment');
  await uploads.stop();
});

const noSpace = async (): Promise<never> => {
  throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
};
const FULL = { code: 'unavailable', message: expect.stringContaining('is full') };

/** Nothing that was removed is kept for an upload that is none any more. */
async function expectNothingHeld() {
  await world.remove('os:one');
  await world.keeper.collect();
  expect((await world.store.upkeep.totals()).chunks).toBe(0);
}

test('an upload that cannot begin on a full disk says so, and holds nothing', async () => {
  await world.build('one', { chunks: ['a', 'b'] });
  const { uploads } = cases({ begin: noSpace });
  await expect(uploads.begin(testIndex({ chunks: ['a', 'c'] }).text, 'x', '1')).rejects.toMatchObject(FULL);
  await expectNothingHeld();
});

test('an upload that cannot begin because the store fails holds nothing', async () => {
  await world.build('one', { chunks: ['a', 'b'] });
  const chunks = () => Promise.reject(new Error('disk I/O error'));
  const { uploads } = cases(undefined, { store: { ...world.store, chunks } });
  await expect(uploads.begin(testIndex({ chunks: ['a'] }).text, 'x', '1')).rejects.toThrow('I/O');
  await expectNothingHeld();
});

test('an upload whose files cannot be removed holds nothing either', async () => {
  await world.build('one', { chunks: ['a', 'b'] });
  const real = uploadFiles(world.dataDir);
  const begin = async (id: string, text: string) => {
    const draft = await real.begin(id, text);
    const discard = () => draft.discard().then(() => Promise.reject(new Error('EIO')));
    return { ...draft, discard };
  };
  const { uploads } = cases({ begin });
  const { id } = await uploads.begin(testIndex({ chunks: ['a'] }).text, 'x', '1');
  await expect(uploads.remove(id)).rejects.toThrow('EIO');
  await expectNothingHeld();
});

test('a disk that is full at the commit is said too, and nothing of the upload stays', async () => {
  const real = uploadFiles(world.dataDir);
  const { uploads } = cases({
    begin: async (id, text) => ({ ...(await real.begin(id, text)), seal: noSpace }),
  });
  const { id } = await uploads.begin(testIndex({ chunks: ['a'] }).text, 'x', '1');
  await uploads.putFile(id, 'kernel', 0, body(Buffer.from('kernel')));
  await uploads.putFile(id, 'initrd', 0, body(Buffer.from('initrd')));
  await uploads.putFrames(id, body(sentChunk('a')));
  await expect(uploads.commit(ALICE, id)).rejects.toMatchObject(FULL);
  expect(drafts()).toEqual([]);
});

test('so many uploads are open at once and no more, also when they begin together', async () => {
  const { uploads } = cases();
  const begun = await Promise.allSettled(
    Array.from({ length: 40 }, (_, i) => uploads.begin(testIndex({}).text, 'x', `${i}`)),
  );
  const refused = begun.filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(8);
  expect(refused).toMatchObject(refused.map(() => ({ reason: { code: 'unavailable' } })));
  // One that is given up makes room.
  const [first] = begun;
  if (first?.status === 'fulfilled') await uploads.remove(first.value.id);
  await uploads.begin(testIndex({}).text, 'x', 'more');
  await uploads.stop();
});

test('where all places are taken, the upload that was silent for longest makes room, after five minutes', async () => {
  const { uploads, time } = cases();
  const ids: string[] = [];
  for (let i = 0; i < 32; i += 1) {
    time.now = i;
    ids.push((await uploads.begin(testIndex({}).text, 'x', `${i}`)).id);
  }
  const [first = '', second = '', third = ''] = ids;
  time.now = 5 * 60_000;
  await expect(uploads.begin(testIndex({}).text, 'x', 'more')).rejects.toMatchObject({ code: 'unavailable' });
  // The first is still sending; the second has been silent for longest then.
  time.now += 3;
  await uploads.putFile(first, 'kernel', 0, body(Buffer.from('ker')));
  await uploads.begin(testIndex({}).text, 'x', 'more');
  await uploads.find(first);
  await uploads.find(third);
  await expect(uploads.find(second)).rejects.toMatchObject({ code: 'not-found' });
  expect(drafts().filter((name) => name.includes(second))).toEqual([]);
  await uploads.stop();
});

test('what each part is answered does not grow with the image', async () => {
  const { uploads } = cases();
  const chunks = Array.from({ length: 100 }, (_, i) => `c${i}`);
  const begun = await uploads.begin(testIndex({ chunks }).text, 'x', '1');
  expect(begun).toMatchObject({ missingChunks: 100, missingBytes: 100 * 8192 });
  expect(begun.missing).toHaveLength(100);
  const sent = await uploads.putFrames(begun.id, body(sentChunk('c0'), sentChunk('c7'), sentChunk('c0')));
  expect(sent).toMatchObject({ status: 'open', missingChunks: 98, missingBytes: 98 * 8192 });
  expect(JSON.stringify(sent).length).toBeLessThan(500);
  const part = await uploads.putFile(begun.id, 'kernel', 0, body(Buffer.from('ker')));
  expect(JSON.stringify(part).length).toBeLessThan(500);
  expect((await uploads.find(begun.id)).missing).toHaveLength(98);
});

test('stopping gives up what is open', async () => {
  const { uploads } = cases();
  await uploads.begin(testIndex({}).text, 'x', '1');
  expect(drafts()).not.toEqual([]);
  await uploads.stop();
  expect(drafts()).toEqual([]);
});

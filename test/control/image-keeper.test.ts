import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { imageFolder, packPath } from '../../server/blobs/places.ts';
import type { Digest } from '../../server/core/digest.ts';
import type { SlotObservation } from '../../server/core/host.ts';
import { parseFrames } from '../../server/core/image-index.ts';
import { hostWith } from '../fixtures/hosts.ts';
import { chunkContent, sha256 } from '../fixtures/store-images.ts';
import { rawOf, type StoreWorld, storeWorld } from '../fixtures/store-world.ts';

let world: StoreWorld;
beforeEach(() => {
  world = storeWorld();
});
afterEach(async () => {
  await world.close();
  world.discard();
});

const packs = () => readdirSync(join(world.dataDir, 'packs')).sort();
const seeds = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `c${from + i}`);

/** What a host fetches is what frames.json says, and gives the partition. */
async function expectWhole(digest: Digest, chunks: readonly string[]): Promise<void> {
  const frames = parseFrames(String(await world.read(digest, 'frames.json')));
  const data = await world.read(digest, 'data');
  if (!frames.ok || !data) throw new Error('no frames');
  expect(frames.value.bytes).toBe(data.length);
  expect((await world.store.image({ kind: 'digest', digest }))?.dataBytes).toBe(data.length);
  expect((await world.read(digest, 'raw'))?.equals(rawOf(chunks))).toBe(true);
}

test('two builds of one content at once, packed at different levels: both commit, frames follow from the rows', async () => {
  const chunks = seeds(0, 6);
  const [a, b, c] = await Promise.all([
    world.draft('a', { chunks, level: 1 }),
    world.draft('b', { chunks, level: 19 }),
    world.draft('c', { chunks: [...chunks, 'more'], level: 10 }),
  ]);
  expect(a.sealed.packBytes).not.toBe(b.sealed.packBytes);
  const tag = { name: 'os', tag: 'latest' };
  await Promise.all([a, b, c].map(({ sealed }) => world.keeper.commit(sealed, tag, [])));
  for (const { lease } of [a, b, c]) lease.release();
  await world.keeper.collect();
  await world.keeper.collect();
  // a and b are one image, which lost its tag to c.
  expect(await world.store.images()).toHaveLength(1);
  await expectWhole(c.sealed.digest, [...chunks, 'more']);
  expect((await world.verify()).damage).toEqual([]);
  expect(packs().every((name) => !name.endsWith('.tmp'))).toBe(true);
});

test('a pack whose every chunk was stored meanwhile goes at once', async () => {
  const late = await world.draft('late', { chunks: seeds(0, 3), kernel: 'other' });
  const first = await world.build('one', { chunks: seeds(0, 3) }, 'first');
  await world.keeper.commit(late.sealed, { name: 'os', tag: 'two' }, []);
  expect(packs()).toEqual(['first.pack']);
  await expectWhole(first, seeds(0, 3));
  await expectWhole(late.sealed.digest, seeds(0, 3));
});

test('a commit that counts on a chunk that is gone is refused, and leaves nothing', async () => {
  await world.build('one', { chunks: ['x', 'y'] });
  const { sealed, lease } = await world.draft('two', { chunks: ['x', 'z'] });
  world.db.prepare('DELETE FROM chunks WHERE sha256 = ?').run(Buffer.from(sha256(chunkContent('x')), 'hex'));
  await expect(world.keeper.commit(sealed, { name: 'os', tag: 'two' }, [])).rejects.toThrow(
    'not in the store',
  );
  expect(await world.store.image({ kind: 'tag', name: 'os', tag: 'two' })).toBeNull();
  lease.release();
  await world.keeper.collect();
  expect((await world.store.upkeep.totals()).chunks).toBe(1);
  expect(existsSync(packPath(world.dataDir, 'two'))).toBe(false);
  expect(existsSync(imageFolder(world.dataDir, sealed.digest))).toBe(false);
  expect(readdirSync(join(world.dataDir, 'images')).filter((name) => name.startsWith('.'))).toEqual([]);
});

test('what a running build was told is stored stays until it has ended', async () => {
  const old = await world.build('one', { chunks: seeds(0, 4) }, 'old');
  const { sealed, lease } = await world.draft('new', { chunks: [...seeds(0, 4), 'extra'] });
  const { isGone } = await world.remove('os:one');
  expect(isGone).toBe(true);
  expect(await world.library.open(old, 'raw')).toBeNull();
  await world.keeper.commit(sealed, { name: 'os', tag: 'two' }, []);
  lease.release();
  await world.keeper.collect();
  await expectWhole(sealed.digest, [...seeds(0, 4), 'extra']);
});

test('a build that fails gives back what it held', async () => {
  await world.build('one', { chunks: seeds(0, 4) }, 'old');
  const { lease } = await world.draft('new', { chunks: seeds(0, 4) });
  await world.remove('os:one');
  expect((await world.store.upkeep.totals()).chunks).toBe(4);
  lease.release();
  await world.keeper.collect();
  expect((await world.store.upkeep.totals()).chunks).toBe(0);
  expect(packs().filter((name) => name.endsWith('.pack'))).toEqual([]);
});

test('a pack that is mostly dead is written anew; what is left reads the same, frame for frame', async () => {
  await world.build('big', { chunks: seeds(0, 20) }, 'big');
  const kept = await world.build('small', { chunks: [...seeds(2, 5), 'own'] }, 'small');
  const before = await world.read(kept, 'data');
  const size = statSync(packPath(world.dataDir, 'big')).size;
  const { freedBytes, isGone } = await world.remove('os:big');
  expect(isGone).toBe(true);
  expect(existsSync(packPath(world.dataDir, 'big'))).toBe(false);
  expect(packs()).toHaveLength(2);
  expect(freedBytes).toBeGreaterThan(size / 2);
  expect((await world.read(kept, 'data'))?.equals(before ?? Buffer.alloc(0))).toBe(true);
  await expectWhole(kept, [...seeds(2, 5), 'own']);
});

test('a download goes on while its image is removed and its pack rewritten', async () => {
  const big = await world.build('big', { chunks: seeds(0, 20) }, 'big');
  await world.build('small', { chunks: seeds(2, 5) }, 'small');
  const source = await world.library.open(big, 'raw');
  const late = await world.library.open(big, 'raw');
  if (!source || !late) throw new Error('no image');
  const signal = new AbortController().signal;
  const reading = source.read({ start: 0, end: source.sizeBytes }, signal)[Symbol.asyncIterator]();
  const parts = [Buffer.from((await reading.next()).value)];
  await world.remove('os:big');
  expect(existsSync(packPath(world.dataDir, 'big'))).toBe(true);
  for (let next = await reading.next(); !next.done; next = await reading.next())
    parts.push(Buffer.from(next.value));
  expect(Buffer.concat(parts).equals(rawOf(seeds(0, 20)))).toBe(true);
  await expect.poll(() => existsSync(packPath(world.dataDir, 'big'))).toBe(false);
  // Opened before and read after: refused rather than read from a pack that is gone.
  await expect(async () => {
    for await (const _ of late.read({ start: 0, end: 10 }, signal));
  }).rejects.toThrow('was removed');
  expect(await world.library.open(big, 'index.json')).toBeNull();
  expect(await world.library.index(big)).toBeNull();
});

test('one that was opened before a rewrite and is read after it finds the new places', async () => {
  await world.build('big', { chunks: seeds(0, 20) }, 'big');
  const small = await world.build('small', { chunks: seeds(2, 5) }, 'small');
  const source = await world.library.open(small, 'data');
  const before = await world.read(small, 'data');
  await world.remove('os:big');
  const parts: Buffer[] = [];
  for await (const part of source?.read({ start: 0, end: source.sizeBytes }, new AbortController().signal) ??
    [])
    parts.push(Buffer.from(part));
  expect(Buffer.concat(parts).equals(before ?? Buffer.alloc(0))).toBe(true);
});

test('an image that a collection already on its way takes is said to be gone', async () => {
  const digest = await world.build('one', { chunks: ['a'] });
  const running = world.keeper.collect();
  const removed = await world.remove('os:one');
  expect((await running).images).toEqual([digest]);
  expect(removed).toMatchObject({ digest, tagsRemoved: 1, isGone: true, keptFor: [] });
});

test('what hosts are assigned, are brought to, run or hold in a slot stays', async () => {
  const wish = (kernel: string) => ({ chunks: ['same'], kernel });
  const [assigned, tried, runs, held] = [
    await world.build('assigned', wish('1')),
    await world.build('tried', wish('2')),
    await world.build('runs', wish('3')),
    await world.build('held', wish('4')),
  ];
  const slot = (digest: Digest, state: SlotObservation['state']): SlotObservation => ({ state, digest });
  const host = hostWith({
    enrolment: { assignment: { ref: 'os:assigned', digest: assigned } },
    attempt: { digest: tried },
    observation: { digest: runs, slots: { a: slot(runs, 'modified'), b: slot(held, 'valid') } },
  });
  await world.store.change({}, () => ({ answer: undefined, hosts: [host] }));
  const mac = host.enrolment.macs[0] ?? '';
  for (const tag of ['assigned', 'tried', 'runs'])
    await expect(world.remove(`os:${tag}`)).rejects.toThrow(`stays: ${mac} is assigned`);
  await expect(world.remove(runs)).rejects.toMatchObject({ code: 'conflict' });
  // A slot keeps the image, not its name.
  expect(await world.remove('os:held')).toMatchObject({ tagsRemoved: 1, isGone: false, keptFor: [mac] });
  expect(await world.store.image({ kind: 'digest', digest: held })).toMatchObject({ tags: [] });
  // A second name may go from an image that is in use.
  await world.build('again', wish('1'));
  expect(await world.remove('os:again')).toMatchObject({ isGone: false });
  await world.store.change({ hosts: [host.enrolment.id] }, () => ({
    answer: undefined,
    removed: [host.enrolment.id],
  }));
  expect(await world.remove(assigned)).toMatchObject({ tagsRemoved: 1, isGone: true });
  expect(await world.store.image({ kind: 'digest', digest: held })).toBeNull();
  await expect(world.remove('os:assigned')).rejects.toMatchObject({ code: 'not-found' });
  await expect(world.remove('Not A Name')).rejects.toMatchObject({ code: 'not-found' });
});

test('a tag that a build moves away leaves its image to the collection', async () => {
  const first = await world.build('latest', { chunks: seeds(0, 3) });
  const second = await world.build('latest', { chunks: seeds(1, 4) });
  await world.keeper.collect();
  expect(await world.store.image({ kind: 'digest', digest: first })).toBeNull();
  await expectWhole(second, seeds(1, 4));
  expect((await world.store.upkeep.totals()).chunks).toBe(3);
});

test('damage is found, named with its images, not served, and mended by the next build that has it', async () => {
  const one = await world.build('one', { chunks: seeds(0, 6) }, 'one');
  const two = await world.build('two', { chunks: ['c2', 'other'] }, 'two');
  const whole = await world.build('whole', { chunks: ['apart'] }, 'whole');
  const place = (await world.store.chunks([sha256(chunkContent('c2'))])).get(sha256(chunkContent('c2')));
  const pack = readFileSync(packPath(world.dataDir, 'one'));
  pack[(place?.offset ?? 0) + 20] = (pack[(place?.offset ?? 0) + 20] ?? 0) ^ 0xff;
  writeFileSync(packPath(world.dataDir, 'one'), pack);
  writeFileSync(join(imageFolder(world.dataDir, two), 'initrd'), 'init?d');

  const found = await world.verify();
  expect(found.damage.map(({ images }) => [...images].sort())).toEqual([[two], [one, two].sort()]);
  expect(found.damage[0]?.what).toContain('initrd');
  expect(found.damage[1]?.what).toContain('pack one');
  expect(found.affected).toEqual([one, two].sort());
  expect(await world.store.image({ kind: 'digest', digest: one })).toMatchObject({
    missingChunks: 1,
    filesDamaged: false,
  });
  expect(await world.store.image({ kind: 'digest', digest: two })).toMatchObject({
    missingChunks: 1,
    filesDamaged: true,
  });
  await expect(world.library.open(one, 'data')).rejects.toMatchObject({ code: 'unavailable' });
  await expectWhole(whole, ['apart']);
  expect((await world.verify()).damage.map(({ what }) => what)).toEqual([found.damage[0]?.what]);

  // The same image again, packed in another way.
  expect(await world.build('two', { chunks: ['c2', 'other'], level: 19 })).toBe(two);
  await expectWhole(one, seeds(0, 6));
  await expectWhole(two, ['c2', 'other']);
  expect(await world.store.images()).toMatchObject(
    Array.from({ length: 3 }, () => ({ missingChunks: 0, filesDamaged: false })),
  );
  expect((await world.verify()).damage).toEqual([]);
  const events = await world.store.events({ limit: 10 });
  expect(events.filter(({ kind }) => kind === 'image-damaged')).toHaveLength(2);
});

test('a pack that is missing as a whole is damage of each of its chunks', async () => {
  const one = await world.build('one', { chunks: seeds(0, 3) }, 'one');
  writeFileSync(packPath(world.dataDir, 'one'), '');
  expect((await world.verify()).damage).toHaveLength(3);
  await world.build('one', { chunks: seeds(0, 3) });
  await expectWhole(one, seeds(0, 3));
});

test("an OS never gets the installer's tag, whoever built it, and nothing of it stays", async () => {
  const { sealed, lease } = await world.draft('draft', { chunks: ['a'] });
  const tag = { name: 'installer', tag: 'latest' };
  await expect(world.keeper.commit(sealed, tag, [])).rejects.toMatchObject({ code: 'invalid' });
  lease.release();
  expect(await world.store.images()).toEqual([]);
  expect(readdirSync(join(world.dataDir, 'packs'))).toEqual([]);
  expect(readdirSync(join(world.dataDir, 'images'))).toEqual([]);
});

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { draftImage } from '../../server/blobs/image-draft.ts';
import type { Digest } from '../../server/core/digest.ts';
import type { ImageFiles } from '../../server/core/file-ports.ts';
import { hostWith, macAt } from '../fixtures/hosts.ts';
import { rawOf, type StoreWorld, storeWorld } from '../fixtures/store-world.ts';

/** What a model knows of an image: its chunks. */
type Known = ReadonlyMap<Digest, readonly string[]>;

const CHUNKS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const chunks = fc.uniqueArray(fc.constantFrom(...CHUNKS), { minLength: 1, maxLength: 6 });
const tag = fc.constantFrom('t1', 't2', 't3');
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('build' as const), tag, chunks }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rm' as const), tag }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('assign' as const), host: fc.nat(1), tag }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('begin' as const), tag, chunks }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('finish' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

/** Every image with a tag or a host is there, whole, and nothing else is stored. */
async function expectTruth(
  world: StoreWorld,
  known: Known,
  assigned: ReadonlyMap<number, Digest>,
): Promise<void> {
  await world.keeper.collect();
  const images = await world.store.images();
  for (const digest of assigned.values()) expect(images.map((image) => image.digest)).toContain(digest);
  for (const { digest, tags, missingChunks, dataBytes } of images) {
    expect(tags.length > 0 || [...assigned.values()].includes(digest)).toBe(true);
    expect(missingChunks).toBe(0);
    expect((await world.read(digest, 'raw'))?.equals(rawOf(known.get(digest) ?? []))).toBe(true);
    expect((await world.read(digest, 'data'))?.length).toBe(dataBytes);
  }
  expect((await world.verify()).damage).toEqual([]);
  const folders = readdirSync(join(world.dataDir, 'images')).filter((name) => !name.startsWith('.'));
  expect(folders.sort()).toEqual(images.map(({ digest }) => digest.slice(7)).sort());
  const count = (sql: string) => world.db.prepare(sql).pluck().get();
  expect(count('SELECT count(*) FROM chunk_sets')).toBe(images.length);
  expect(count('SELECT count(*) FROM chunks WHERE sha256 NOT IN (SELECT sha256 FROM set_chunks)')).toBe(0);
  expect(count('SELECT count(*) FROM packs WHERE id NOT IN (SELECT pack_id FROM chunks)')).toBe(0);
  expect(world.errors).toEqual([]);
}

test('no order of builds, removals, assignments, restarts and collections loses a chunk or keeps a dead one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
      let world = storeWorld();
      const { dataDir } = world;
      const known = new Map<Digest, readonly string[]>();
      const assigned = new Map<number, Digest>();
      let open: { tag: string; drafted: Awaited<ReturnType<StoreWorld['draft']>> } | null = null;
      let builds = 0;
      try {
        for (const each of steps) {
          builds += 1;
          if (each.do === 'build')
            known.set(await world.build(each.tag, { chunks: each.chunks }, `b${builds}`), each.chunks);
          else if (each.do === 'rm')
            await world.remove(`os:${each.tag}`).catch((error) => {
              if (!['not-found', 'conflict'].includes(error.code)) throw error;
            });
          else if (each.do === 'assign') {
            const image = await world.store.image({ kind: 'tag', name: 'os', tag: each.tag });
            if (!image) continue;
            const host = hostWith({
              enrolment: {
                id: `h${each.host}`,
                macs: [macAt(each.host)],
                assignment: { ref: 'x', digest: image.digest },
              },
              observation: null,
            });
            await world.store.change({ hosts: [`h${each.host}`] }, () => ({ answer: 0, hosts: [host] }));
            assigned.set(each.host, image.digest);
          } else if (each.do === 'begin' && !open) {
            const drafted = await world.draft(`b${builds}`, { chunks: each.chunks });
            known.set(drafted.sealed.digest, each.chunks);
            open = { tag: each.tag, drafted };
          } else if (each.do === 'finish' && open) {
            await world.keeper.commit(open.drafted.sealed, { name: 'os', tag: open.tag }, []);
            open.drafted.lease.release();
            open = null;
          } else if (each.do === 'restart') {
            await world.close();
            world = storeWorld(dataDir);
            await world.start();
            open = null;
          }
        }
        open?.drafted.lease.release();
        await expectTruth(world, known, assigned);
        await world.close();
        world = storeWorld(dataDir);
        await world.start();
        await expectTruth(world, known, assigned);
        expect(readdirSync(join(dataDir, 'images')).every((name) => !name.startsWith('.'))).toBe(true);
        const used = await world.store.packIds();
        expect(readdirSync(join(dataDir, 'packs')).sort()).toEqual(used.map((id) => `${id}.pack`).sort());
      } finally {
        await world.close();
        world.discard();
      }
    }),
    { numRuns: 40 },
  );
}, 60_000);

/** Each thing that happens to files during builds and collections, in the order in which it happens. */
const ACTS = ['publish', 'removeImage', 'removePack', 'copyFrames'] as const;

test.each([
  ...ACTS.flatMap((act) => [
    [act, 'before'],
    [act, 'after'],
  ]),
] as [(typeof ACTS)[number], 'before' | 'after'][])(
  'a server that ends at %s, %s it is done, leaves a store that verifies',
  async (act, when) => {
    const dead = new Error('the server was killed');
    let isDead = false;
    // As after SIGKILL: from that moment on no file and no row changes any more.
    const mortal = (files: ImageFiles): ImageFiles => {
      const lives = { ...files } as Record<string, (...args: never[]) => unknown>;
      for (const name of [...ACTS, 'discardDraft'] as const) {
        const real = files[name] as (...args: unknown[]) => Promise<unknown>;
        lives[name] = async (...args: unknown[]) => {
          if (isDead) throw dead;
          if (name === act && armed && when === 'before') isDead = true;
          if (isDead) throw dead;
          const value = await real(...args);
          if (name === act && armed) isDead = true;
          if (isDead) throw dead;
          return value;
        };
      }
      return lives as unknown as ImageFiles;
    };
    let armed = false;
    const world = storeWorld(undefined, mortal);
    const seeds = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `c${from + i}`);
    const kept = await world.build('kept', { chunks: seeds(0, 3) });
    await world.build('big', { chunks: seeds(2, 20) });
    const small = await world.build('small', { chunks: seeds(2, 6) });
    armed = true;
    const ends = async (task: Promise<unknown>) => task.catch(() => {});
    if (act === 'publish') await ends(world.build('new', { chunks: seeds(30, 33) }));
    else await ends(world.remove('os:big'));
    expect(isDead).toBe(true);
    const frozen = world.dataDir;
    world.store.close();

    const again = storeWorld(frozen);
    await again.start();
    expect((await again.verify()).damage).toEqual([]);
    expect((await again.read(kept, 'raw'))?.equals(rawOf(seeds(0, 3)))).toBe(true);
    expect((await again.read(small, 'raw'))?.equals(rawOf(seeds(2, 6)))).toBe(true);
    const images = await again.store.images();
    expect(readdirSync(join(frozen, 'images')).sort()).toEqual(
      images.map(({ digest }) => digest.slice(7)).sort(),
    );
    expect(readdirSync(join(frozen, 'packs')).sort()).toEqual(
      (await again.store.packIds()).map((id) => `${id}.pack`).sort(),
    );
    await again.build('next', { chunks: seeds(30, 33) });
    await again.close();
    again.discard();
  },
);

test('a build that outlives its killed server publishes nothing, however long it goes on', async () => {
  const before = storeWorld();
  const { dataDir } = before;
  const kept = await before.build('kept', { chunks: ['a'] });
  const orphan = await draftImage(dataDir, 'orphan');
  await orphan.append(Buffer.alloc(3 << 20, 1));
  // The server is killed here; the child does not know yet.
  before.store.close();
  const after = storeWorld(dataDir);
  await after.start();
  await orphan.append(Buffer.alloc(3 << 20, 2));
  await orphan.seal({ 'index.json': 'x' }).catch(() => orphan.discard());
  await after.build('next', { chunks: ['a', 'b'] });
  const visible = (folder: string) =>
    readdirSync(join(dataDir, folder)).filter((name) => !name.startsWith('.') && !name.endsWith('.tmp'));
  const images = (await after.store.images()).map(({ digest }) => digest.slice(7));
  expect(visible('images').sort()).toEqual(images.sort());
  expect(visible('packs').sort()).toEqual((await after.store.packIds()).map((id) => `${id}.pack`).sort());
  expect((await after.verify()).damage).toEqual([]);
  expect((await after.read(kept, 'raw'))?.equals(rawOf(['a']))).toBe(true);
  await after.close();
  const last = storeWorld(dataDir);
  await last.start();
  expect(readdirSync(join(dataDir, 'packs')).some((name) => name.endsWith('.tmp'))).toBe(false);
  await last.close();
  last.discard();
});

test('a pack whose chunks are still being written is not taken for a dead one', async () => {
  const world = storeWorld();
  const { upkeep } = world.store;
  const { sealed, lease } = await world.draft('b1', { chunks: ['a', 'b'] });
  let isOver = false;
  const commit = world.keeper.commit(sealed, { name: 'os', tag: 't1' }, []).finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const pack = await upkeep.nextPack(null);
    if (pack) await upkeep.dropPack(pack.id);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await commit;
  lease.release();
  expect((await upkeep.nextPack(null))?.id).toBe('b1');
  expect((await world.verify()).damage).toEqual([]);
  await world.close();
  world.discard();
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { imageLibrary } from '../../server/blobs/image-library.ts';
import { packReaders } from '../../server/blobs/pack-readers.ts';
import { imageDetailCases } from '../../server/control/image-details.ts';
import type { Digest } from '../../server/core/digest.ts';
import type { Store } from '../../server/core/ports.ts';
import { openDatabase } from '../../server/store/database.ts';
import { sqliteStore } from '../../server/store/store.ts';
import { A, hostWith, macAt } from '../fixtures/hosts.ts';
import { LAYERED_CHUNK, storeLayeredImage } from '../fixtures/layered-images.ts';
import { MIGRATIONS } from '../fixtures/running-server.ts';

const seeds = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix} ${i}`);
const BASE = { madeBy: 'FROM debian:13', chunks: seeds('base', 30) };

let dir: string;
let store: Store;
let details: ReturnType<typeof imageDetailCases>;
const digests: Record<string, Digest> = {};
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'warmboot-details-'));
  const put = async (name: string, ...layers: { madeBy: string; chunks: string[] }[]) => {
    digests[name] = await storeLayeredImage(dir, { name, layers });
  };
  await put('one', BASE, { madeBy: 'RUN one', chunks: seeds('one', 9) });
  await put('two', BASE, { madeBy: 'RUN two', chunks: [...seeds('two', 19), 'one 0'] });
  await put('other', { madeBy: 'FROM scratch', chunks: seeds('other', 5) });
  digests.unknown = await storeLayeredImage(dir, {
    name: 'unknown',
    layers: [{ madeBy: null, chunks: ['base 0', 'base 0', 'mine'] }],
    isRecorded: false,
  });
  store = sqliteStore(
    openDatabase(join(dir, 'warmboot.db'), MIGRATIONS, () => {}),
    Date.now,
  );
  details = imageDetailCases({ store, library: imageLibrary(dir, store, packReaders()) });
});
afterAll(() => {
  store.close();
  rmSync(dir, { recursive: true });
});
const of = (name: string) => digests[name] as Digest;

test('layers as they were recorded, each with its part of the chunks', async () => {
  const found = await details.layers(of('one'));
  expect(found?.bytesBefore).toBe(LAYERED_CHUNK);
  expect(found?.layers).toMatchObject([
    { madeBy: 'FROM debian:13', files: 90, bytes: 30 * LAYERED_CHUNK },
    { madeBy: 'RUN one', files: 27, bytes: 9 * LAYERED_CHUNK },
  ]);
  expect(await details.layers(of('unknown'))).toBeNull();
});

test('what is shared with which other image, and where it lies', async () => {
  const { contentBytes, images } = await details.shared(of('one'));
  expect(contentBytes).toBe(40 * LAYERED_CHUNK);
  expect(images.map(({ digest }) => digest)).toEqual([of('two'), of('unknown'), of('other')]);
  const [two, unknown, other] = images;
  expect(two).toMatchObject({ chunks: 32, bytes: 32 * LAYERED_CHUNK });
  expect(two?.layerBytes).toEqual([30 * LAYERED_CHUNK, LAYERED_CHUNK]);
  expect(two?.dataBytes).toBeGreaterThan(0);
  // The filesystem itself, 30 of the base and the first of its own: 32 of 40, which are 160 of 200 parts.
  expect(two?.parts).toEqual(Array.from({ length: 200 }, (_, part) => (part < 160 ? 100 : 0)));
  expect(unknown).toMatchObject({ chunks: 2 });
  expect(other).toMatchObject({ chunks: 1, bytes: LAYERED_CHUNK });
});

test('a chunk that lies at two places is one to fetch, and two to be shared', async () => {
  const { images } = await details.shared(of('unknown'));
  expect(images[0]).toMatchObject({ chunks: 2, bytes: 3 * LAYERED_CHUNK, layerBytes: null });
});

test('an image that comes or goes is seen at once', async () => {
  const before = await details.shared(of('other'));
  expect(await details.shared(of('other'))).toEqual(before);
  await store.upkeep.removeTags({ kind: 'digest', digest: of('unknown') }, () => []);
  await store.upkeep.dropUnneeded(() => false);
  const after = await details.shared(of('other'));
  expect(after.images.map(({ digest }) => digest)).toEqual(
    before.images.map(({ digest }) => digest).filter((digest) => digest !== of('unknown')),
  );
});

test('an image that is not there shares nothing', async () => {
  expect(await details.shared(A)).toEqual({ contentBytes: 0, images: [] });
});

test('hosts that shall run an image, and that run it; retired ones do neither', async () => {
  const [one, two] = [of('one'), of('two')];
  const host = (
    number: number,
    shall: Digest,
    runs: Digest | null,
    status: 'approved' | 'retired' = 'approved',
  ) =>
    hostWith({
      enrolment: {
        id: `host-${number}`,
        macs: [macAt(number)],
        status,
        assignment: { ref: 'x', digest: shall },
      },
      observation: { digest: runs },
    });
  const hosts = [host(1, two, one), host(2, two, two), host(3, one, one, 'retired'), host(4, two, null)];
  await store.change({}, () => ({ answer: undefined, hosts }));
  expect(await details.hostCounts()).toEqual(
    new Map([
      [two, { assigned: 3, running: 1 }],
      [one, { assigned: 0, running: 1 }],
    ]),
  );
});

import { hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ByteRange } from '../core/byte-range.ts';
import type { Digest } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';
import {
  type ImageFrames,
  type ImageIndex,
  layOutFrames,
  parseIndex,
  serializeFrames,
} from '../core/image-index.ts';
import type { ByteSource, ChunkPlace, ImageFile, ImageLibrary, Store } from '../core/ports.ts';
import { dataExtents } from './data-extents.ts';
import type { PackReaders } from './pack-readers.ts';
import { imageFolder } from './places.ts';
import { readData } from './read-data.ts';
import { readRaw } from './read-raw.ts';

/** An index never changes under its digest; a fleet runs a handful of images at a time. */
const KEPT_IMAGES = 32;
const KEPT_PLACES = 8;

/** Where an image's chunks lie now, and the frames.json that follows from it. */
type Layout = {
  readonly generation: number;
  readonly places: ReadonlyMap<string, ChunkPlace>;
  readonly packIds: ReadonlySet<string>;
  readonly frames: ImageFrames;
  readonly framesText: Buffer;
  readonly framesHash: string;
};

/**
 * Reads stored images from the data folder; whether they exist and where their chunks lie comes from the store, asked
 * at every opening. frames.json is no file: it follows from the rows, so it can never disagree with them.
 */
export function imageLibrary(
  dataDir: string,
  store: Pick<Store, 'image' | 'chunks'>,
  readers: PackReaders,
): ImageLibrary {
  const indexes = keep<Promise<ImageIndex>>(KEPT_IMAGES);
  const layouts = keep<Promise<Layout>>(KEPT_PLACES);

  /** Only what was committed exists, and only as long as its row is there. */
  async function index(digest: Digest): Promise<ImageIndex | null> {
    if (!(await store.image({ kind: 'digest', digest }))) {
      indexes.forget(digest);
      layouts.forget(digest);
      return null;
    }
    return indexes(digest, async () => {
      const file = join(imageFolder(dataDir, digest), 'index.json');
      const parsed = parseIndex(await readFile(file, 'utf8'));
      if (parsed.ok) return parsed.value;
      throw new Error(`The index of ${digest} is damaged: ${parsed.reason}.`);
    });
  }

  async function layout(digest: Digest, found: ImageIndex): Promise<Layout> {
    const { generation } = readers;
    const made = await layouts(digest, () => layOut(digest, found, generation));
    if (made.generation === readers.generation) return made;
    layouts.forget(digest);
    return layout(digest, found);
  }

  async function layOut(digest: Digest, { chunks }: ImageIndex, generation: number): Promise<Layout> {
    const places = await store.chunks([...new Set(chunks.map(({ sha256 }) => sha256))]);
    const laid = layOutFrames(digest, chunks, (sha256) => places.get(sha256)?.bytes);
    if (!laid.ok && !(await store.image({ kind: 'digest', digest })))
      throw new WarmbootError('not-found', `The image ${digest} was removed.`);
    if (!laid.ok)
      throw new WarmbootError(
        'unavailable',
        `The image ${digest} is damaged: ${laid.reason}. Build, import or push it again.`,
      );
    const framesText = Buffer.from(serializeFrames(laid.value));
    return {
      generation,
      places,
      packIds: new Set([...places.values()].map(({ packId }) => packId)),
      frames: laid.value,
      framesText,
      framesHash: hash('sha256', framesText),
    };
  }

  /**
   * Reads with the packs held. Where frames have moved since `known` was made they are looked up anew: then the packs
   * that it names may be gone.
   */
  async function* holding(
    digest: Digest,
    found: ImageIndex,
    known: Layout,
    read: (at: Layout) => AsyncIterable<Buffer>,
  ): AsyncGenerator<Buffer> {
    let at = known;
    let release = readers.hold(at.packIds);
    try {
      while (at.generation !== readers.generation) {
        release();
        at = await layout(digest, found);
        // Brought back after damage a frame may have another length; `data` is then another file.
        if (at.framesHash !== known.framesHash) throw new Error(`the frames of ${digest} have changed`);
        release = readers.hold(at.packIds);
      }
      yield* read(at);
    } finally {
      release();
    }
  }

  return {
    index,
    async open(digest, file) {
      try {
        const found = await index(digest);
        return found && (await opened(digest, file, found));
      } catch (error) {
        // Removed while it was opened, it is simply not there.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !(await index(digest))) return null;
        throw error;
      }
    },
  };

  async function opened(digest: Digest, file: ImageFile, found: ImageIndex): Promise<ByteSource | null> {
    const { filesystem, chunks, kernel, initrd, loader } = found;
    switch (file) {
      case 'index.json':
        return plainFile(join(imageFolder(dataDir, digest), file), digest.slice('sha256:'.length));
      case 'kernel':
        return plainFile(join(imageFolder(dataDir, digest), file), kernel.sha256);
      case 'initrd':
        return plainFile(join(imageFolder(dataDir, digest), file), initrd.sha256);
      case 'loader':
        return loader ? plainFile(join(imageFolder(dataDir, digest), file), loader.sha256) : null;
      case 'frames.json': {
        const { framesText, framesHash } = await layout(digest, found);
        return bytesSource(framesText, framesHash);
      }
      case 'data': {
        if (!filesystem) return null;
        const known = await layout(digest, found);
        return {
          sizeBytes: known.frames.bytes,
          etag: etag(known.framesHash),
          read: (range, signal) =>
            holding(digest, found, known, (at) =>
              readData(dataDir, dataExtents(at.frames, at.places), range, signal),
            ),
        };
      }
      case 'raw': {
        if (!filesystem) return null;
        const known = await layout(digest, found);
        return {
          sizeBytes: filesystem.bytes,
          etag: etag(`${digest.slice('sha256:'.length)}-raw`),
          read: (range, signal) =>
            holding(digest, found, known, (at) =>
              readRaw(dataDir, chunks, (sha256) => at.places.get(sha256), range, signal),
            ),
        };
      }
      default:
        return file satisfies never;
    }
  }
}

async function plainFile(file: string, name: string): Promise<ByteSource> {
  const { size } = await stat(file);
  return {
    sizeBytes: size,
    etag: etag(name),
    read: ({ start, end }, signal) =>
      createReadStream(file, { start, end: end - 1, signal, highWaterMark: 1024 * 1024 }),
  };
}

function bytesSource(bytes: Buffer, name: string): ByteSource {
  async function* read({ start, end }: ByteRange): AsyncGenerator<Buffer> {
    yield bytes.subarray(start, end);
  }
  return { sizeBytes: bytes.length, etag: etag(name), read };
}

function etag(name: string): string {
  return `"${name}"`;
}

/** The last few answers, so that many who ask for the same at once cause one reading; a failure is not kept. */
function keep<Value extends Promise<unknown>>(count: number) {
  const kept = new Map<string, Value>();
  const get = (key: string, make: () => Value): Value => {
    const known = kept.get(key);
    kept.delete(key);
    const value = known ?? make();
    kept.set(key, value);
    if (known === undefined) value.catch(() => kept.get(key) === value && kept.delete(key));
    const [oldest] = kept.keys();
    if (kept.size > count && oldest !== undefined) kept.delete(oldest);
    return value;
  };
  return Object.assign(get, { forget: (key: string) => void kept.delete(key) });
}

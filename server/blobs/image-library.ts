import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../core/digest.ts';
import { type ImageIndex, type Parsed, parseFrames, parseIndex } from '../core/image-index.ts';
import type { ByteSource, ChunkPlace, ImageLibrary, Store } from '../core/ports.ts';
import { dataExtents } from './data-extents.ts';
import { imageFolder } from './places.ts';
import { readData } from './read-data.ts';
import { readRaw } from './read-raw.ts';

/** Images are immutable, so what was parsed once stays true; a fleet runs a handful of them at a time. */
const KEPT_IMAGES = 32;
const KEPT_PLACES = 8;

type Places = ReadonlyMap<string, ChunkPlace>;

/** Reads stored images from the data folder; where their chunks lie comes from the store. */
export function imageLibrary(dataDir: string, store: Pick<Store, 'image' | 'chunks'>): ImageLibrary {
  const indexes = keep<Promise<ImageIndex | null>>(KEPT_IMAGES);
  const places = keep<Promise<Places>>(KEPT_PLACES);

  /** Only what was committed exists: a folder that a build has just renamed is not an image yet. */
  async function index(digest: Digest): Promise<ImageIndex | null> {
    const found = await indexes(digest, async () => {
      const stored = await store.image({ kind: 'digest', digest });
      if (!stored) return null;
      const file = join(imageFolder(dataDir, digest), 'index.json');
      return trusted(parseIndex(await readFile(file, 'utf8')), `The index of ${digest}`);
    });
    if (found === null) indexes.forget(digest);
    return found;
  }

  function placesOf(digest: Digest, { chunks }: ImageIndex): Promise<Places> {
    return places(digest, () => store.chunks(chunks.map(({ sha256 }) => sha256)));
  }

  async function data(digest: Digest, found: ImageIndex): Promise<ByteSource> {
    const stored = await store.image({ kind: 'digest', digest });
    const text = await readFile(join(imageFolder(dataDir, digest), 'frames.json'), 'utf8');
    const frames = trusted(parseFrames(text), `The frames of ${digest}`);
    const extents = dataExtents(frames, await placesOf(digest, found));
    return {
      sizeBytes: frames.bytes,
      etag: etag(stored?.framesHash ?? ''),
      read: (range, signal) => readData(dataDir, extents, range, signal),
    };
  }

  return {
    index,
    async open(digest, file) {
      const found = await index(digest);
      if (!found) return null;
      const { filesystem, chunks, kernel, initrd } = found;
      switch (file) {
        case 'index.json':
          return plainFile(join(imageFolder(dataDir, digest), file), digest.slice('sha256:'.length));
        case 'kernel':
          return plainFile(join(imageFolder(dataDir, digest), file), kernel.sha256);
        case 'initrd':
          return plainFile(join(imageFolder(dataDir, digest), file), initrd.sha256);
        case 'frames.json': {
          const stored = await store.image({ kind: 'digest', digest });
          return plainFile(join(imageFolder(dataDir, digest), file), stored?.framesHash ?? '');
        }
        case 'data':
          return filesystem && data(digest, found);
        case 'raw': {
          if (!filesystem) return null;
          const at = await placesOf(digest, found);
          const place = (sha256: string) => at.get(sha256);
          return {
            sizeBytes: filesystem.bytes,
            etag: etag(`${digest.slice('sha256:'.length)}-raw`),
            read: (range, signal) => readRaw(dataDir, chunks, place, range, signal),
          };
        }
        default:
          return file satisfies never;
      }
    },
  };
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

function etag(name: string): string {
  return `"${name}"`;
}

function trusted<Value>(parsed: Parsed<Value>, what: string): Value {
  if (parsed.ok) return parsed.value;
  throw new Error(`${what} is damaged: ${parsed.reason}.`);
}

/** The last few answers, so that many who ask for the same at once cause one reading; a failure is not kept. */
function keep<Value extends Promise<unknown>>(count: number) {
  const kept = new Map<string, Value>();
  const get = (key: string, make: () => Value): Value => {
    const known = kept.get(key);
    kept.delete(key);
    const value = known ?? make();
    kept.set(key, value);
    if (known === undefined) value.catch(() => kept.delete(key));
    const [oldest] = kept.keys();
    if (kept.size > count && oldest !== undefined) kept.delete(oldest);
    return value;
  };
  return Object.assign(get, { forget: (key: string) => void kept.delete(key) });
}

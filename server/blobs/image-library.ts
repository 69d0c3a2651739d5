import { hash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';
import { bytesSource, heldSource } from '../core/held-bytes.ts';
import { filesOf, type ImageIndex, parseIndex } from '../core/image-index.ts';
import { keep } from '../core/keep.ts';
import type {
  ByteSource,
  CodedFile,
  HeldBytes,
  ImageFile,
  ImageLibrary,
  Store,
  StoredImage,
} from '../core/ports.ts';
import { codedWith } from './dictionary-coding.ts';
import { imageLayouts, type Layout } from './image-layouts.ts';
import { damagedImage, removedImage } from './image-refusals.ts';
import type { PackReaders } from './pack-readers.ts';
import { imageFolder } from './places.ts';
import { readCheckedData } from './read-checked-data.ts';
import { readData } from './read-data.ts';
import { readRaw } from './read-raw.ts';
import { storedFile } from './stored-file.ts';

/** What the indexes at hand may have together, in chunks of about 150 bytes each: three images of 10 GiB. */
const KEPT_CHUNKS = 500_000;
/** A rollout needs two texts for each image that its hosts come from: of some 100 KB. */
const KEPT_CODED_BYTES = 16 * 1024 ** 2;

/**
 * Reads stored images from the data folder; whether they exist, are whole and where their chunks lie comes from the store,
 * asked at every opening. What is opened keeps no index and no layout alive: each reading takes them anew.
 */
export function imageLibrary(
  dataDir: string,
  store: Pick<Store, 'image' | 'chunks'>,
  readers: PackReaders,
): ImageLibrary {
  const indexes = keep<ImageIndex>(KEPT_CHUNKS, ({ chunks }) => chunks.length + 1);
  const layouts = imageLayouts(store, readers);
  const coded = keep<ByteSource | null>(KEPT_CODED_BYTES, (source) => (source?.sizeBytes ?? 0) + 512);

  /** Only what was committed exists, and only as long as its row is there. */
  async function rowOf(digest: Digest): Promise<StoredImage | null> {
    const row = await store.image({ kind: 'digest', digest });
    if (row) return row;
    indexes.forget(digest);
    layouts.forget(digest);
    return null;
  }

  /** An index never changes under its digest, and is checked against it when it is read. */
  function indexOf(digest: Digest): Promise<ImageIndex> {
    return indexes.get(digest, async () => {
      const parsed = parseIndex((await indexText(digest)).toString());
      if (parsed.ok) return parsed.value;
      throw damagedImage(digest, `its index.json cannot be read, for ${parsed.reason}`);
    });
  }

  async function indexText(digest: Digest): Promise<Buffer> {
    const text = await readFile(join(imageFolder(dataDir, digest), 'index.json'));
    if (`sha256:${hash('sha256', text)}` === digest) return text;
    throw damagedImage(digest, 'its index.json is not what was stored');
  }

  /** Removed while it was read it is simply not there; a file that is missing beside its row is damage. */
  async function explained(digest: Digest, error: unknown): Promise<Error> {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return error as Error;
    return (await rowOf(digest)) ? damagedImage(digest, 'a file of it is missing') : removedImage(digest);
  }

  /** Reads with what is there; null where the image is not, or went meanwhile. */
  async function reading<Value>(
    digest: Digest,
    read: (row: StoredImage) => Promise<Value>,
  ): Promise<Value | null> {
    const row = await rowOf(digest);
    if (!row) return null;
    try {
      return await read(row);
    } catch (error) {
      const told = await explained(digest, error);
      if (told instanceof WarmbootError && told.code === 'not-found') return null;
      throw told;
    }
  }

  async function wholeIndex({ digest, filesDamaged, missingChunks }: StoredImage): Promise<ImageIndex> {
    if (filesDamaged || missingChunks > 0)
      throw damagedImage(digest, 'a check of the store found parts of it changed or missing');
    return indexOf(digest);
  }

  /** Holds the packs of an image, wherever its frames lie by now. */
  async function held(
    digest: Digest,
    read: (layout: Layout, index: ImageIndex) => HeldBytes['read'],
  ): Promise<HeldBytes> {
    const answer = await reading(digest, async () => {
      const index = await indexOf(digest);
      const { layout, release } = await layouts.hold(digest, index.chunks);
      try {
        return { read: read(layout, index), release: async () => release() };
      } catch (error) {
        release();
        throw error;
      }
    });
    if (answer) return answer;
    throw removedImage(digest);
  }

  function dataOf(digest: Digest, { frames, framesHash }: Layout, check?: 'checked'): ByteSource {
    return heldSource({ sizeBytes: frames.bytes, etag: quoted(framesHash) }, () =>
      held(digest, (layout) => {
        // Brought back after damage a frame may have another length; `data` is then another file.
        if (layout.framesHash !== framesHash)
          throw new WarmbootError(
            'unavailable',
            `The image ${digest} was stored anew a moment ago. Ask for it again.`,
          );
        return (range, signal) =>
          check
            ? readCheckedData(dataDir, layout, range, signal)
            : readData(dataDir, layout.extents, range, signal);
      }),
    );
  }

  function rawOf(digest: Digest, sizeBytes: number): ByteSource {
    const etag = quoted(`${hexOf(digest)}-raw`);
    return heldSource({ sizeBytes, etag }, () =>
      held(
        digest,
        ({ places }, { chunks }) =>
          (range, signal) =>
            readRaw(dataDir, chunks, (sha256) => places.get(sha256), range, signal),
      ),
    );
  }

  async function plainFile(
    digest: Digest,
    file: ImageFile,
    sha256: string,
    check?: 'checked',
  ): Promise<ByteSource> {
    const path = join(imageFolder(dataDir, digest), file);
    const { size } = await stat(path);
    const damaged = () => damagedImage(digest, `its ${file} is not what was stored`);
    return storedFile(
      path,
      { sizeBytes: size, etag: quoted(sha256) },
      (error) => explained(digest, error),
      check ? { sha256, damaged } : null,
    );
  }

  async function opened(
    digest: Digest,
    file: ImageFile,
    index: ImageIndex,
    check?: 'checked',
  ): Promise<ByteSource | null> {
    switch (file) {
      case 'index.json':
        return plainFile(digest, file, hexOf(digest), check);
      case 'kernel':
      case 'initrd':
      case 'loader': {
        const entry = filesOf(index).find(({ name }) => name === file);
        if (!entry) return null;
        const source = await plainFile(digest, file, entry.sha256, check);
        if (source.sizeBytes === entry.bytes) return source;
        throw damagedImage(digest, `its ${file} has ${source.sizeBytes} bytes instead of ${entry.bytes}`);
      }
      case 'frames.json': {
        const { framesText, framesHash } = await layouts.of(digest, index.chunks);
        return bytesSource(framesText, quoted(framesHash));
      }
      case 'data':
        return index.filesystem && dataOf(digest, await layouts.of(digest, index.chunks), check);
      case 'raw':
        return index.filesystem && rawOf(digest, index.filesystem.bytes);
      default:
        return file satisfies never;
    }
  }

  /** Made once for all who have the same. What cannot be coded is sent as it is, and reading that tells why. */
  async function codedText(
    digest: Digest,
    file: CodedFile,
    index: ImageIndex,
    known: Digest,
  ): Promise<ByteSource | null> {
    const layout = file === 'frames.json' ? await layouts.of(digest, index.chunks) : null;
    const made = coded.get(`${file} ${layout?.framesHash ?? digest} ${known}`, async () => {
      const text = codedWith(await indexText(known), layout?.framesText ?? (await indexText(digest)));
      return text && { ...bytesSource(text, quoted(hash('sha256', text))), coding: 'dcz' };
    });
    return made.catch(() => null);
  }

  return {
    index: (digest) => reading(digest, () => indexOf(digest)),
    open: (digest, file, check) =>
      reading(digest, async (row) => opened(digest, file, await wholeIndex(row), check)),
    openCoded: (digest, file, known) =>
      reading(digest, async (row) => {
        const index = await wholeIndex(row);
        return (await rowOf(known)) && codedText(digest, file, index, known);
      }),
    encoding: (digest) =>
      reading(digest, async (row) => {
        const { filesystem, chunks } = await wholeIndex(row);
        const layout = await layouts.of(digest, chunks);
        const { frames, framesText, framesHash } = layout;
        return {
          frames,
          framesJson: bytesSource(framesText, quoted(framesHash)),
          data: filesystem && dataOf(digest, layout, 'checked'),
        };
      }),
  };
}

function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

function quoted(name: string): string {
  return `"${name}"`;
}

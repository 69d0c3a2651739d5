import { afterAll, beforeAll, expect, test } from 'vitest';
import { cpioArchive } from '../../server/core/cpio.ts';
import type { Digest } from '../../server/core/digest.ts';
import { type ImageIndex, layOutFrames } from '../../server/core/image-index.ts';
import type { ByteSource, ImageFile, ImageLibrary, StoredImage } from '../../server/core/ports.ts';
import { diskCases } from '../../server/disks/disk-images.ts';
import { bytesOf, playedImages, playedLoader, SMALL, sha256Hex, sourceOf } from './composition.ts';

let images: ReturnType<typeof playedImages>;
beforeAll(() => {
  images = playedImages();
});
afterAll(() => images.remove());

const INSTALLER = `sha256:${'f'.repeat(64)}` as Digest;
const wish = { layout: 'small', slots: { a: 'os' }, sectorBytes: 512, seed: '' };

/** Disk composing over one played image, with a list of what was asked of the library. */
function composing() {
  const [image] = images.slots;
  if (!image?.stored) throw new Error('no image');
  const { stored, raw, kernel, initrd, digest } = image;
  const frames = layOutFrames(digest as Digest, stored.chunks, (chunk) => stored.frames.get(chunk)?.bytes);
  if (!frames.ok) throw new Error(frames.reason);
  const encoding = { etag: stored.data.etag };
  const asked: string[] = [];
  const archive = cpioArchive(
    [...playedLoader()].map(([path, content]) => ({ path, mode: 0o644, content })),
    (text) => Buffer.from(text),
  );
  const loader: ByteSource = sourceOf(archive);
  const files: Partial<Record<ImageFile, ByteSource>> = {
    raw,
    kernel,
    initrd,
    loader: {
      ...loader,
      read: (...args) => {
        asked.push('content of the loader');
        return loader.read(...args);
      },
    },
  };
  const index = {
    ...image.index,
    architecture: 'amd64',
    filesystem: { type: 'ext4', bytes: raw.sizeBytes, uuid: '' },
    chunks: stored.chunks,
  } as ImageIndex;
  const library: ImageLibrary = {
    index: async () => index,
    open: async (_, file) => files[file] ?? null,
    openCoded: async () => null,
    encoding: async () => {
      asked.push('encoding');
      const data = { ...stored.data, etag: encoding.etag };
      return { frames: frames.value, framesJson: sourceOf(Buffer.alloc(0)), data };
    },
  };
  const disks = diskCases({
    images: {
      image: async (ref) =>
        ({
          ...(ref.kind === 'tag' && ref.name === 'installer'
            ? { digest: INSTALLER, kind: 'installer' }
            : { digest, kind: 'os' }),
        }) as StoredImage,
    },
    library,
    layouts: new Map([['small', SMALL]]),
    sha256Hex,
    trialSeconds: 600,
  });
  return { disks, asked, encoding };
}

test('a disk is put together once for all who ask for parts of it', async () => {
  const { disks, asked } = composing();
  const first = await disks.open(wish, 'img');
  for (let i = 0; i < 3; i += 1) expect(await disks.open({ ...wish }, 'img')).toBe(first);
  expect(asked).toEqual(['content of the loader']);
  expect(await disks.open({ ...wish, seed: 'other' }, 'img')).not.toBe(first);
});

test('only a disk of frames asks how the image is encoded, and is another when that changes', async () => {
  const { disks, asked, encoding } = composing();
  await disks.open(wish, 'img');
  expect(asked).not.toContain('encoding');
  const first = await disks.open(wish, 'img.zst');
  expect(await disks.open(wish, 'img.zst')).toBe(first);
  encoding.etag = '"mended"';
  const mended = await disks.open(wish, 'img.zst');
  expect(mended).not.toBe(first);
  expect(mended.etag).not.toBe(first.etag);
  expect((await bytesOf(mended)).equals(await bytesOf(first))).toBe(true);
});

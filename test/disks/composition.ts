import { createHash } from 'node:crypto';
import { readData } from '../../server/blobs/read-data.ts';
import { readRaw } from '../../server/blobs/read-raw.ts';
import type { Digest } from '../../server/core/digest.ts';
import type { DiskLayout } from '../../server/core/disk-layout.ts';
import { composedDiskGuid } from '../../server/core/partition-guid.ts';
import type { ByteSource } from '../../server/core/ports.ts';
import type { Composition } from '../../server/disks/compose.ts';
import { storedImage } from '../blobs/stored-image.ts';
import { plainIndex } from '../fixtures/store-images.ts';

const MIB = 1024 ** 2;
export const sha256Hex = (text: string) => createHash('sha256').update(text).digest('hex');
const everything = new AbortController().signal;

/** Small enough for a test to hold it in memory. */
export const SMALL: DiskLayout = {
  name: 'small',
  table: 'gpt',
  bootBytes: 64 * MIB,
  stateBytes: 16 * MIB,
  slots: 2,
  slotBytes: 2 * MIB,
  data: false,
};

export function sourceOf(content: Uint8Array): ByteSource {
  return {
    sizeBytes: content.length,
    etag: `"${createHash('sha256').update(content).digest('hex')}"`,
    async *read({ start, end }) {
      yield content.subarray(start, end);
    },
  };
}

/** Any range of a source, in one piece. */
export async function bytesOf(source: ByteSource, start = 0, end = source.sizeBytes): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source.read({ start, end }, everything)) parts.push(part);
  return Buffer.concat(parts);
}

/** GRUB's images as far as a composer looks at them. */
export function playedLoader(): Map<string, Buffer> {
  const files = new Map<string, Buffer>([
    ['BOOTX64.EFI', Buffer.alloc(5000, 'efi ')],
    ['grub.cfg', Buffer.from('echo hello\n')],
  ]);
  for (const [table, sector] of [
    ['gpt', 2048n],
    ['msdos', 1n],
  ] as const) {
    const boot = Buffer.alloc(512, 0xb0);
    boot.writeBigUInt64LE(sector, 0x5c);
    const core = Buffer.alloc(20_001, 0xc0);
    core.writeBigUInt64LE(sector + 1n, 0x1f4);
    files.set(`boot-${table}.img`, boot).set(`core-${table}.img`, core);
  }
  return files;
}

/** Two images in slots a and b, with their real chunks and frames; to be removed after the tests. */
export function playedImages() {
  const stored = storedImage();
  const frames = new Map(stored.frames.frames.map((frame) => [frame.chunk, frame]));
  const image = (slot: string, seed: number): Composition['slots'][number] => {
    const digest = `sha256:${String(seed).repeat(64)}` as Digest;
    const plain = plainIndex({
      chunks: stored.chunks,
      filesystemBytes: stored.raw.length,
      kernel: `kernel ${seed}`,
      initrd: `initrd ${seed}`,
    });
    const index = { ...plain.index, os: { id: 'debian', version: `1${seed}`, name: 'Debian' } };
    return {
      slot,
      digest,
      index,
      kernel: sourceOf(Buffer.alloc(300_001, seed)),
      initrd: sourceOf(Buffer.alloc(1_000_000 + seed, 'initrd')),
      raw: {
        sizeBytes: stored.raw.length,
        etag: `"${digest}-raw"`,
        read: (range, signal) =>
          readRaw(stored.dataDir, stored.chunks, (chunk) => stored.places.get(chunk), range, signal),
      },
      stored: {
        data: {
          sizeBytes: stored.data.length,
          etag: `"${digest}-data"`,
          read: (range, signal) => readData(stored.dataDir, stored.extents, range, signal),
        },
        chunks: stored.chunks,
        frames,
      },
    };
  };
  return { slots: [image('a', 1), image('b', 2)], raw: stored.raw, remove: stored.remove };
}

export function composition(
  slots: Composition['slots'],
  parts: Partial<Composition> = {},
  layout: Partial<DiskLayout> = {},
): Composition {
  return {
    layout: { ...SMALL, ...layout },
    sectorBytes: 512,
    guid: composedDiskGuid('test', sha256Hex),
    loader: playedLoader(),
    slots,
    planState: (bytes) => ({
      bytes,
      *pieces() {
        yield { offset: 4096, bytes: 8192, from: { kind: 'made', make: () => Buffer.alloc(8192, 's') } };
      },
    }),
    trialSeconds: 600,
    ...parts,
  };
}

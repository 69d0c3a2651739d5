import { type Digest, parseImageRef } from '../core/digest.ts';
import type { DiskLayout } from '../core/disk-layout.ts';
import { WarmbootError } from '../core/errors.ts';
import { slotNames } from '../core/host.ts';
import type { ImageFrames, ImageIndex } from '../core/image-index.ts';
import { INSTALLER, installerOf } from '../core/installer.ts';
import { keep } from '../core/keep.ts';
import { composedDiskGuid, type Sha256Hex } from '../core/partition-guid.ts';
import type { ByteSource, ImageFile, ImageLibrary, Store } from '../core/ports.ts';
import { requireRoom } from '../core/slot-room.ts';
import type { DiskUseCases, DiskWish } from '../core/use-cases.ts';
import { planExt4 } from '../filesystems/ext4/plan.ts';
import { defaultDirectory, FileTree } from '../filesystems/file-tree.ts';
import type { FilesystemPlan } from '../filesystems/piece.ts';
import type { SlotImage } from './boot-partition.ts';
import { composeDisk } from './compose.ts';
import { readLoader } from './loader.ts';
import type { DiskParts, StoredFrames } from './parts.ts';
import { rawImage } from './raw-image.ts';
import { zstdImage } from './zstd-image.ts';

export interface DiskSurroundings {
  readonly images: Pick<Store, 'image'>;
  readonly library: ImageLibrary;
  readonly layouts: ReadonlyMap<string, DiskLayout>;
  readonly sha256Hex: Sha256Hex;
  /** For the command line of a trial, as in manifests. */
  readonly trialSeconds: number;
}

type Format = Parameters<DiskUseCases['open']>[1];

/** An image for a slot, opened. `frames`: only where the disk is sent as frames. */
type Wanted = SlotImage & {
  readonly raw: ByteSource;
  readonly frames: { readonly data: ByteSource; readonly of: ImageFrames } | null;
};

/** What composed disks may take of memory together, in bytes. */
const KEPT_BYTES = 64 * 1024 * 1024;

/**
 * Composes whole disks from stored images. Nothing is stored; the bytes are made while they are read. How a disk is put
 * together is kept for a while, for clients ask for one in many parts: whether its images are there and whole is looked up
 * each time, and names it together with how they are encoded.
 */
export function diskCases(around: DiskSurroundings): DiskUseCases {
  const { images, library, layouts, sha256Hex, trialSeconds } = around;
  const composed = keep<{ source: ByteSource; weight: number }>(KEPT_BYTES, ({ weight }) => weight);

  async function imageFor(layout: DiskLayout, slot: string, ref: string, format: Format): Promise<Wanted> {
    const parsed = parseImageRef(ref);
    const stored = parsed && (await images.image(parsed));
    const index = stored && (await library.index(stored.digest));
    if (!stored || !index)
      throw new WarmbootError(
        'invalid',
        `There is no image ${ref.slice(0, 200)} for slot ${slot}. See: warmboot images`,
      );
    const { digest } = stored;
    const { filesystem } = index;
    if (!filesystem)
      throw new WarmbootError('invalid', `${ref} is an installer and cannot be put into slot ${slot}.`);
    requireRoom(ref, filesystem.bytes, layout, layouts);
    const [raw, kernel, initrd, encoding] = await Promise.all([
      open(digest, 'raw'),
      open(digest, 'kernel'),
      open(digest, 'initrd'),
      format === 'img' ? null : library.encoding(digest),
    ]);
    if (format === 'img') return { slot, digest, index, kernel, initrd, raw, frames: null };
    if (!encoding?.data) throw removed(digest);
    return { slot, digest, index, kernel, initrd, raw, frames: { data: encoding.data, of: encoding.frames } };
  }

  async function open(digest: Digest, file: ImageFile): Promise<ByteSource> {
    const found = await library.open(digest, file, 'checked');
    if (found) return found;
    throw removed(digest);
  }

  async function loader() {
    const { digest } = installerOf(await images.image(INSTALLER));
    const index = await library.index(digest);
    if (!index) throw removed(digest);
    const archive = await library.open(digest, 'loader', 'checked');
    if (!archive)
      throw new WarmbootError(
        'unavailable',
        'The installer was built without the boot loader files that a disk needs. Build it anew: warmboot build installer',
      );
    return { archive, index };
  }

  return {
    async open(wish, format) {
      const layout = layouts.get(wish.layout);
      if (!layout)
        throw new WarmbootError(
          'not-found',
          `There is no disk layout "${wish.layout.slice(0, 64)}". Known layouts: ${[...layouts.keys()].join(', ')}.`,
        );
      const sectorBytes = sectorsOf(wish);
      const wanted = slotsOf(wish, layout);
      const [{ archive, index: installer }, slots] = await Promise.all([
        loader(),
        Promise.all(wanted.map(([slot, ref]) => imageFor(layout, slot, ref, format))),
      ]);
      for (const { slot, index } of slots) requireArchitecture(slot, index, installer);
      const { name: _, ...shape } = layout;
      const inputs = JSON.stringify([
        shape,
        sectorBytes,
        slots.map(({ slot, digest }) => [slot, digest]),
        installer.loader?.sha256 ?? '',
        wish.seed,
      ]);
      const encodings = slots.map(({ frames }) => frames?.data.etag ?? null);
      const { source } = await composed.get(JSON.stringify([format, encodings, inputs]), async () => {
        const composition = {
          layout,
          sectorBytes,
          guid: composedDiskGuid(inputs, sha256Hex),
          loader: readLoader(await contentOf(archive)),
          slots: slots.map((image) => ({ ...image, stored: storedFrames(image) })),
          planState,
          trialSeconds,
        };
        const disk = composeDisk(composition, sha256Hex);
        return { source: format === 'img' ? rawImage(disk) : zstdImage(disk), weight: weightOf(disk) };
      });
      return source;
    },
  };
}

function storedFrames({ frames, index }: Wanted): StoredFrames | null {
  return (
    frames && {
      data: frames.data,
      chunks: index.chunks,
      frames: new Map(frames.of.frames.map((frame) => [frame.chunk, frame])),
    }
  );
}

/** About how many bytes a composed disk holds: what was made, and as frames a few words for each run of chunks. */
function weightOf({ parts }: DiskParts): number {
  const weights = parts.map(({ bytes, from }) =>
    from.kind === 'made' ? bytes : from.kind === 'image' ? (from.stored?.chunks.length ?? 0) * 100 : 0,
  );
  return weights.reduce((sum, each) => sum + each, 0);
}

function removed(digest: Digest): WarmbootError {
  return new WarmbootError('unavailable', `The image ${digest} was removed a moment ago.`);
}

function sectorsOf({ sectorBytes }: DiskWish): 512 | 4096 {
  if (sectorBytes === 512 || sectorBytes === 4096) return sectorBytes;
  throw new WarmbootError('invalid', `Disks have sectors of 512 or 4096 bytes, not of ${sectorBytes}.`);
}

/** The slots in the order of their letters; the first is the boot default. */
function slotsOf({ slots }: DiskWish, layout: DiskLayout): [string, string][] {
  const letters = slotNames(layout.slots);
  const stranger = Object.keys(slots).find((slot) => !letters.includes(slot));
  if (stranger !== undefined)
    throw new WarmbootError(
      'invalid',
      `Layout "${layout.name}" has the slots ${letters.join(', ')}, not "${stranger.slice(0, 32)}".`,
    );
  if (slots.a === undefined)
    throw new WarmbootError('invalid', 'Say which image slot a shall hold: a=NAME[:TAG].');
  return letters.flatMap((slot): [string, string][] => {
    const ref = slots[slot];
    return ref === undefined ? [] : [[slot, ref]];
  });
}

function requireArchitecture(slot: string, image: ImageIndex, installer: ImageIndex): void {
  if (image.architecture !== installer.architecture)
    throw new WarmbootError(
      'invalid',
      `The image of slot ${slot} is for ${image.architecture}, the installer's boot loader for ${installer.architecture}.`,
    );
}

/** Empty, for root alone, and mountable by every kernel that an image may have. */
function planState(bytes: number, uuid: string): FilesystemPlan {
  const tree = new FileTree();
  tree.put('', 0, defaultDirectory(0o700));
  const planned = planExt4(tree, { bytes, uuid, profile: 'classic' });
  if (planned.ok) return planned.plan;
  throw new Error(`The state partition cannot be made: ${planned.reason}.`);
}

async function contentOf(source: ByteSource): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const whole = { start: 0, end: source.sizeBytes };
  for await (const data of source.read(whole, new AbortController().signal)) parts.push(Buffer.from(data));
  return Buffer.concat(parts);
}

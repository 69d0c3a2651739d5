import type { DiskLayout, Partition } from '../core/disk-layout.ts';
import { WarmbootError } from '../core/errors.ts';
import { type ImageIndex, serializeIndex } from '../core/image-index.ts';
import type { ByteSource } from '../core/ports.ts';
import {
  grubEnvironment,
  slotArguments,
  slotConfig,
  trialArguments,
  validRecord,
} from '../core/slot-files.ts';
import { planFat32 } from '../filesystems/fat32/plan.ts';
import { type Loader, loaderFile } from './loader.ts';
import type { Part } from './parts.ts';

/** An image as a slot of the disk shall hold it. */
export interface SlotImage {
  readonly slot: string;
  readonly digest: string;
  readonly index: ImageIndex;
  readonly kernel: ByteSource;
  readonly initrd: ByteSource;
}

const TRIES = '3';

/** The boot partition as docs/disk-layout.md describes it. @throws WarmbootError when the files do not fit */
export function bootPartition(
  layout: DiskLayout,
  place: Partition,
  sectorBytes: 512 | 4096,
  volumeId: number,
  loader: Loader,
  images: readonly (SlotImage & { readonly partUuid: string })[],
  trialSeconds: number,
): Part[] {
  const contents = contentsOf(loader, images, trialSeconds);
  const options = {
    bytes: place.sectors * sectorBytes,
    sectorBytes,
    hiddenSectors: place.startSector,
    volumeId,
    label: 'WARMBOOT',
  };
  const plan = () =>
    planFat32(
      [...contents].map(([path, content]) => ({ path, bytes: lengthOf(content) })),
      options,
    );
  let planned = plan();
  if (!planned.ok) {
    // The indexes only spare the next image some download.
    for (const { slot } of images) contents.delete(indexPath(slot));
    planned = plan();
  }
  if (!planned.ok)
    throw new WarmbootError(
      'invalid',
      `Layout "${layout.name}" cannot hold this: ${planned.reason}. Take a layout with a larger boot partition.`,
    );
  const start = place.startSector * sectorBytes;
  const parts = planned.plan.metadata.map(
    ({ offset, data }): Part => ({
      offset: start + offset,
      bytes: data.length,
      from: { kind: 'made', data },
    }),
  );
  for (const { path, bytes, offset } of planned.plan.files) {
    const content = contents.get(path);
    if (!content) continue;
    const from: Part['from'] = Buffer.isBuffer(content)
      ? { kind: 'made', data: content }
      : { kind: 'file', source: content };
    parts.push({ offset: start + offset, bytes, from });
  }
  return parts;
}

const indexPath = (slot: string) => `warmboot/${slot}/index.json`;

/** The files by their paths. */
function contentsOf(
  loader: Loader,
  images: readonly (SlotImage & { readonly partUuid: string })[],
  trialSeconds: number,
): Map<string, Buffer | ByteSource> {
  const text = (content: string) => Buffer.from(content, 'latin1');
  const first = images[0]?.slot ?? 'a';
  return new Map<string, Buffer | ByteSource>([
    ['EFI/BOOT/BOOTX64.EFI', loaderFile(loader, 'BOOTX64.EFI')],
    ['grub/grub.cfg', loaderFile(loader, 'grub.cfg')],
    [
      'grub/grubenv',
      text(
        grubEnvironment({
          default: first,
          ...Object.fromEntries(images.map(({ slot }) => [`tries_${slot}`, TRIES])),
        }),
      ),
    ],
    ['grub/spare', text(grubEnvironment({}))],
    ...images.flatMap(({ slot, digest, index, kernel, initrd, partUuid }) => {
      const append = slotArguments({
        root: `PARTUUID=${partUuid}`,
        more: [index.append],
        slot,
        attempt: null,
      });
      const name = [index.os.id, index.os.version].filter((word) => /^[\w.-]+$/.test(word)).join('-');
      const files: [string, Buffer | ByteSource][] = [
        ['vmlinuz', kernel],
        ['initrd.img', initrd],
        ['cmdline', text(`${append}\n`)],
        ['slot.cfg', text(slotConfig(append, trialArguments(trialSeconds)))],
        ['valid', text(validRecord(digest, name, ''))],
      ];
      return [
        ...files.map(([file, content]): [string, Buffer | ByteSource] => [
          `warmboot/${slot}/${file}`,
          content,
        ]),
        [indexPath(slot), Buffer.from(serializeIndex(index))] as const,
      ];
    }),
  ]);
}

function lengthOf(content: Buffer | ByteSource): number {
  return Buffer.isBuffer(content) ? content.length : content.sizeBytes;
}

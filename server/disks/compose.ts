import { type DiskLayout, type Partition, placePartitions, smallestDisk } from '../core/disk-layout.ts';
import { slotNames } from '../core/host.ts';
import { diskNames, disksOwnUuid, partitionIds, type Sha256Hex } from '../core/partition-guid.ts';
import type { ByteSource } from '../core/ports.ts';
import type { FilesystemPlan } from '../filesystems/piece.ts';
import { bootPartition, type SlotImage } from './boot-partition.ts';
import { gptTable } from './gpt.ts';
import { biosLoader, type Loader } from './loader.ts';
import { msdosTable } from './msdos.ts';
import { type DiskParts, diskParts, type Part, type StoredFrames } from './parts.ts';

/** What a disk is composed of. Everything was checked to fit but the boot partition's files. */
export interface Composition {
  readonly layout: DiskLayout;
  readonly sectorBytes: 512 | 4096;
  /** GUID of the disk, from which all others follow. */
  readonly guid: string;
  readonly loader: Loader;
  readonly slots: readonly (SlotImage & {
    readonly raw: ByteSource;
    /** Needed for zstd frames only. */
    readonly stored: StoredFrames | null;
  })[];
  /** Lays out the empty state filesystem. */
  planState(bytes: number, uuid: string): FilesystemPlan;
  readonly trialSeconds: number;
}

/**
 * The smallest disk that has the layout, with the images in their slots. Slots without an image stay empty, and so does the data
 * partition. @throws WarmbootError when the boot partition's files do not fit, or the loader lacks a file
 */
export function composeDisk(composition: Composition, sha256Hex: Sha256Hex): DiskParts {
  const { layout, sectorBytes, guid, loader } = composition;
  const letters = slotNames(layout.slots);
  const disk = { bytes: smallestDisk(layout, letters), sectorBytes };
  const placed = placePartitions(layout, disk, letters, partitionIds(layout.table, guid, sha256Hex));
  if (!('partitions' in placed))
    throw new RangeError(`the smallest disk is smaller than ${placed.neededBytes}`);
  const place = (label: string): Partition => {
    const found = placed.partitions.find((partition) => partition.label === label);
    if (!found) throw new RangeError(`layout ${layout.name} has no ${label}`);
    return found;
  };

  const { bootCode, core } = biosLoader(loader, layout.table, disk);
  const { signature } = diskNames(layout, guid, sha256Hex);
  const table =
    layout.table === 'gpt'
      ? gptTable(disk, guid, placed.partitions, bootCode)
      : msdosTable(disk, signature, placed.partitions, bootCode);
  const parts: Part[] = [...table, ...(core ? [core] : [])].map(({ offset, data }) => ({
    offset,
    bytes: data.length,
    from: { kind: 'made', data },
  }));

  const images = composition.slots.map((image) => ({
    ...image,
    partUuid: place(`warmboot-${image.slot}`).uuid,
  }));
  const volumeId = Number.parseInt(disksOwnUuid(guid, 'boot partition', sha256Hex).slice(0, 8), 16);
  parts.push(
    ...bootPartition(
      layout,
      place('warmboot-boot'),
      sectorBytes,
      volumeId,
      loader,
      images,
      composition.trialSeconds,
    ),
  );

  const stateAt = place('warmboot-state').startSector * sectorBytes;
  const state = composition.planState(layout.stateBytes, disksOwnUuid(guid, 'state filesystem', sha256Hex));
  for (const { offset, bytes, from } of state.pieces()) {
    if (from.kind !== 'made') throw new RangeError('an empty filesystem copies nothing');
    parts.push({ offset: stateAt + offset, bytes, from: { kind: 'made', data: from.make() } });
  }

  for (const { slot, raw, stored } of images)
    parts.push({
      offset: place(`warmboot-${slot}`).startSector * sectorBytes,
      bytes: raw.sizeBytes,
      from: { kind: 'image', raw, stored },
    });
  return diskParts(disk.bytes, parts);
}

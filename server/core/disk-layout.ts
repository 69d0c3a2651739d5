/** Which kind of partition table a layout has. */
export const TABLES = ['gpt', 'msdos'] as const;
export type TableKind = (typeof TABLES)[number];

/** A disk layout as `images/disks/NAME.json` states it. All sizes in bytes. */
export type DiskLayout = {
  readonly name: string;
  readonly table: TableKind;
  readonly bootBytes: number;
  readonly stateBytes: number;
  /** 2 to 8. */
  readonly slots: number;
  readonly slotBytes: number;
  /** With a data partition, it takes the rest of the disk. */
  readonly data: boolean;
};

/** One partition in the disk's own sectors. */
export type Partition = {
  readonly number: number;
  /** `warmboot-boot`, `warmboot-a`, … : its role; on GPT its name too. `extended` holds the logical partitions of msdos. */
  readonly label: string;
  /** GPT: a GUID. msdos: two hex digits. */
  readonly type: string;
  /** As the kernel's `PARTUUID=` has it. */
  readonly uuid: string;
  readonly startSector: number;
  readonly sectors: number;
};

export type Disk = { readonly bytes: number; readonly sectorBytes: 512 | 4096 };

/** A partition's PARTUUID, by role and number (see `partition-guid.ts`). */
export type PartitionId = (label: string, number: number) => string;

export type Placed =
  | { readonly partitions: readonly Partition[] }
  /** The disk is too small. */
  | { readonly neededBytes: number };

const MIB = 1024 * 1024;

/** GPT partition types: UEFI 2.10 table 5.7; the Discoverable Partitions Specification; GRUB's BIOS boot partition. */
const GPT_TYPE = {
  bios: '21686148-6449-6E6F-744E-656564454649',
  efiSystem: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  linux: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
} as const;

/**
 * msdos partition types. `data` is "non-FS data": the table has no names, so the type tells the data partition from a
 * slot before it.
 */
const MSDOS_TYPE = { efiSystem: 'ef', linux: '83', extended: '0f', data: 'da' } as const;

/** An msdos table counts sectors in 32 bits. */
const MSDOS_SECTORS = 2 ** 32;

/**
 * Places a layout's partitions on a disk, each at a MiB. GPT: BIOS boot, boot (the ESP), state, the slots, data. msdos: boot,
 * state, two slots; or with more than four in all boot, state, an extended partition, and in it the slots and data.
 */
export function placePartitions(
  layout: DiskLayout,
  disk: Disk,
  slots: readonly string[],
  id: PartitionId,
): Placed {
  return layout.table === 'gpt' ? placeGpt(layout, disk, slots, id) : placeMsdos(layout, disk, slots, id);
}

/** The number of slot a's partition; the others follow. */
export function firstSlotNumber(layout: DiskLayout): number {
  if (layout.table === 'gpt') return 4;
  return hasExtended(layout) ? 5 : 3;
}

/** Length of the smallest disk that the layout fits on, a data partition of 1 MiB included. */
export function smallestDisk(layout: DiskLayout, slots: readonly string[]): number {
  const placed = placePartitions(layout, { bytes: 0, sectorBytes: 512 }, slots, () => '');
  return 'neededBytes' in placed ? placed.neededBytes : 0;
}

function hasExtended(layout: DiskLayout): boolean {
  return layout.slots > 2 || layout.data;
}

type Wanted = { readonly label: string; readonly type: string; readonly bytes: number };

function placeGpt(layout: DiskLayout, disk: Disk, slots: readonly string[], id: PartitionId): Placed {
  const wanted: Wanted[] = [
    { label: 'warmboot-bios', type: GPT_TYPE.bios, bytes: MIB },
    { label: 'warmboot-boot', type: GPT_TYPE.efiSystem, bytes: layout.bootBytes },
    { label: 'warmboot-state', type: GPT_TYPE.linux, bytes: layout.stateBytes },
    ...slots.map((slot) => ({ label: `warmboot-${slot}`, type: GPT_TYPE.linux, bytes: layout.slotBytes })),
  ];
  // The first MiB holds the primary GPT, the last one its backup.
  const fixedBytes = wanted.reduce((sum, { bytes }) => sum + bytes, 2 * MIB);
  const neededBytes = fixedBytes + (layout.data ? MIB : 0);
  if (disk.bytes < neededBytes) return { neededBytes };
  if (layout.data)
    wanted.push({ label: 'warmboot-data', type: GPT_TYPE.linux, bytes: wholeMib(disk.bytes - fixedBytes) });

  let nextByte = MIB;
  const partitions = wanted.map(({ label, type, bytes }, index) => {
    const start = nextByte;
    nextByte += bytes;
    return partition(disk, { label, type, bytes }, index + 1, start, id);
  });
  return { partitions };
}

function placeMsdos(layout: DiskLayout, disk: Disk, slots: readonly string[], id: PartitionId): Placed {
  const primaries: Wanted[] = [
    { label: 'warmboot-boot', type: MSDOS_TYPE.efiSystem, bytes: layout.bootBytes },
    { label: 'warmboot-state', type: MSDOS_TYPE.linux, bytes: layout.stateBytes },
  ];
  const inOrder = slots.map((slot) => ({
    label: `warmboot-${slot}`,
    type: MSDOS_TYPE.linux,
    bytes: layout.slotBytes,
  }));
  const isExtended = hasExtended(layout);
  // Before each logical partition a MiB holds its own small table, and the first MiB of the disk GRUB.
  const gap = isExtended ? MIB : 0;
  const fixedBytes =
    MIB +
    primaries.reduce((sum, { bytes }) => sum + bytes, 0) +
    inOrder.reduce((sum, { bytes }) => sum + gap + bytes, layout.data ? gap : 0);
  const neededBytes = fixedBytes + (layout.data ? MIB : 0);
  if (disk.bytes < neededBytes) return { neededBytes };
  const endByte = wholeMib(Math.min(disk.bytes, MSDOS_SECTORS * disk.sectorBytes));
  const logicals: Wanted[] = layout.data
    ? [...inOrder, { label: 'warmboot-data', type: MSDOS_TYPE.data, bytes: endByte - fixedBytes }]
    : inOrder;

  let nextByte = MIB;
  const partitions: Partition[] = [];
  const place = (wanted: Wanted, number: number): void => {
    partitions.push(partition(disk, wanted, number, nextByte, id));
    nextByte += wanted.bytes;
  };
  for (const [index, wanted] of primaries.entries()) place(wanted, index + 1);
  if (isExtended) {
    const extended = { label: 'extended', type: MSDOS_TYPE.extended, bytes: endByte - nextByte };
    partitions.push(partition(disk, extended, 3, nextByte, id));
  }
  for (const [index, wanted] of logicals.entries()) {
    nextByte += gap;
    place(wanted, firstSlotNumber(layout) + index);
  }
  return { partitions };
}

function partition(
  { sectorBytes }: Disk,
  { label, type, bytes }: Wanted,
  number: number,
  startByte: number,
  id: PartitionId,
): Partition {
  const uuid = id(label, number);
  return { number, label, type, uuid, startSector: startByte / sectorBytes, sectors: bytes / sectorBytes };
}

function wholeMib(bytes: number): number {
  return Math.floor(bytes / MIB) * MIB;
}

/** What a partition table says of the disk as a whole; `guid` and `signature` as in `partition-guid.ts`. */
export type DiskNames = { readonly guid: string; readonly signature: string; readonly identity: string };

/**
 * The partition table as input for sfdisk(8). Its first lines are comments for sfdisk: the identity by which the host reports this
 * disk, and the ids of tables that belong to the same host.
 * @param earlier `label-id`s that installs wrote which came to nothing
 */
export function sfdiskScript(
  table: TableKind,
  { guid, signature, identity }: DiskNames,
  disk: Disk,
  partitions: readonly Partition[],
  earlier: readonly string[] = [],
): string {
  const begin = [`disk: ${identity}`, ...earlier.map((id) => `earlier: ${id}`)]
    .map((line) => `# ${line}\n`)
    .join('');
  if (table === 'gpt') {
    const rows = partitions.map(
      ({ startSector, sectors, type, uuid, label }) =>
        `start=${startSector}, size=${sectors}, type=${type}, uuid=${uuid}, name=${label}\n`,
    );
    const head = `label: gpt\nlabel-id: ${guid}\nunit: sectors\nfirst-lba: ${MIB / disk.sectorBytes}\n`;
    return `${begin}${head}\n${rows.join('')}`;
  }
  const rows = partitions.map(
    ({ number, label, startSector, sectors, type }) =>
      `p${number} : start=${startSector}, size=${sectors}, type=${type}${label === 'warmboot-boot' ? ', bootable' : ''}\n`,
  );
  return `${begin}label: dos\nlabel-id: 0x${signature}\nunit: sectors\n\n${rows.join('')}`;
}

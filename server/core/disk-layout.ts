/** A disk layout as `images/disks/NAME.json` states it. All sizes in bytes. */
export type DiskLayout = {
  readonly name: string;
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
  /** `warmboot-boot`, `warmboot-a`, … : the GPT name, by which installer and agent find it. */
  readonly label: string;
  readonly type: string;
  readonly uuid: string;
  readonly startSector: number;
  readonly sectors: number;
};

export type Disk = { readonly bytes: number; readonly sectorBytes: 512 | 4096 };

const MIB = 1024 * 1024;

/** GPT partition types: UEFI 2.10 table 5.7; the Discoverable Partitions Specification; GRUB's BIOS boot partition. */
const TYPE = {
  bios: '21686148-6449-6E6F-744E-656564454649',
  efiSystem: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  linux: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
} as const;

/**
 * Places a layout's partitions on a disk, each at a MiB: BIOS boot, boot (the ESP), state, the slots, data.
 * @param guid gives the partition's GUID for its label, derived from host and disk (see `partition-guid.ts`)
 * @returns null and the bytes needed when the disk is too small
 */
export function placePartitions(
  layout: DiskLayout,
  disk: Disk,
  slots: readonly string[],
  guid: (label: string) => string,
): { readonly partitions: readonly Partition[] } | { readonly neededBytes: number } {
  const wanted = [
    { label: 'warmboot-bios', type: TYPE.bios, bytes: MIB },
    { label: 'warmboot-boot', type: TYPE.efiSystem, bytes: layout.bootBytes },
    { label: 'warmboot-state', type: TYPE.linux, bytes: layout.stateBytes },
    ...slots.map((slot) => ({ label: `warmboot-${slot}`, type: TYPE.linux, bytes: layout.slotBytes })),
  ];
  // The first MiB holds the primary GPT, the last one its backup.
  const fixedBytes = wanted.reduce((sum, { bytes }) => sum + bytes, 2 * MIB);
  const dataBytes = Math.floor((disk.bytes - fixedBytes) / MIB) * MIB;
  const neededBytes = fixedBytes + (layout.data ? MIB : 0);
  if (disk.bytes < neededBytes) return { neededBytes };
  if (layout.data) wanted.push({ label: 'warmboot-data', type: TYPE.linux, bytes: dataBytes });

  let nextByte = MIB;
  const partitions = wanted.map(({ label, type, bytes }, index) => {
    const startSector = nextByte / disk.sectorBytes;
    nextByte += bytes;
    return {
      number: index + 1,
      label,
      type,
      uuid: guid(label),
      startSector,
      sectors: bytes / disk.sectorBytes,
    };
  });
  return { partitions };
}

/** The partition table as input for sfdisk(8). */
export function sfdiskScript(diskGuid: string, disk: Disk, partitions: readonly Partition[]): string {
  const firstSector = MIB / disk.sectorBytes;
  const rows = partitions.map(
    ({ startSector, sectors, type, uuid, label }) =>
      `start=${startSector}, size=${sectors}, type=${type}, uuid=${uuid}, name=${label}\n`,
  );
  return `label: gpt\nlabel-id: ${diskGuid}\nunit: sectors\nfirst-lba: ${firstSector}\n\n${rows.join('')}`;
}

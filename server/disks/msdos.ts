import type { Disk, Partition } from '../core/disk-layout.ts';
import type { Placed } from './gpt.ts';

/** Cylinder, head and sector beyond what they can count: use the sector numbers. */
const LBA_ONLY = [0xfe, 0xff, 0xff] as const;
const LINK = 0x05;
const ACTIVE = 0x80;

/**
 * The master boot record and, for logical partitions, the chain of small tables before each of them. Numbers in such a table
 * count from itself for its partition, and from the extended partition for the next table.
 * @param signature 8 hex digits
 * @param bootCode up to 440 bytes for the BIOS
 */
export function msdosTable(
  disk: Disk,
  signature: string,
  partitions: readonly Partition[],
  bootCode: Uint8Array,
): Placed[] {
  const primaries = partitions.filter(({ number }) => number <= 4);
  const logicals = partitions.filter(({ number }) => number > 4);
  const mbr = emptyTable();
  mbr.set(bootCode);
  mbr.writeUInt32LE(Number.parseInt(signature, 16), 440);
  for (const { number, label, type, startSector, sectors } of primaries)
    writeEntry(mbr, number - 1, label === 'warmboot-boot', Number.parseInt(type, 16), startSector, sectors);

  const extended = primaries.find(({ label }) => label === 'extended');
  const gap = (1024 * 1024) / disk.sectorBytes;
  const tables = logicals.map(({ type, startSector, sectors }, index) => {
    const table = emptyTable();
    const at = startSector - gap;
    writeEntry(table, 0, false, Number.parseInt(type, 16), gap, sectors);
    const next = logicals[index + 1];
    if (next && extended)
      writeEntry(table, 1, false, LINK, next.startSector - gap - extended.startSector, gap + next.sectors);
    return { offset: at * disk.sectorBytes, data: table };
  });
  return [{ offset: 0, data: mbr }, ...tables];
}

function emptyTable(): Buffer {
  const table = Buffer.alloc(512);
  table.writeUInt16LE(0xaa55, 510);
  return table;
}

function writeEntry(
  table: Buffer,
  index: number,
  isActive: boolean,
  type: number,
  start: number,
  sectors: number,
): void {
  const at = 446 + index * 16;
  table.set([isActive ? ACTIVE : 0, ...LBA_ONLY, type, ...LBA_ONLY], at);
  table.writeUInt32LE(start, at + 8);
  table.writeUInt32LE(sectors, at + 12);
}

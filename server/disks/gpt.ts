import { crc32 } from 'node:zlib';
import type { Disk, Partition } from '../core/disk-layout.ts';

/** Bytes that belong at one place of the disk. */
export interface Placed {
  readonly offset: number;
  readonly data: Uint8Array;
}

const ENTRIES = 128;
const ENTRY_BYTES = 128;
const HEADER_BYTES = 92;
const MIB = 1024 * 1024;

/**
 * Protective MBR, both headers and both arrays of entries (UEFI 2.10, 5.2.3 and 5.3).
 * @param guid of the disk
 * @param bootCode up to 440 bytes for the BIOS
 */
export function gptTable(
  disk: Disk,
  guid: string,
  partitions: readonly Partition[],
  bootCode: Uint8Array,
): Placed[] {
  const { sectorBytes } = disk;
  const sectors = disk.bytes / sectorBytes;
  const entries = Buffer.alloc(ENTRIES * ENTRY_BYTES);
  for (const { number, label, type, uuid, startSector, sectors: length } of partitions) {
    const entry = entries.subarray((number - 1) * ENTRY_BYTES, number * ENTRY_BYTES);
    guidBytes(type).copy(entry, 0);
    guidBytes(uuid).copy(entry, 16);
    entry.writeBigUInt64LE(BigInt(startSector), 32);
    entry.writeBigUInt64LE(BigInt(startSector + length - 1), 40);
    entry.write(label, 56, 72, 'utf16le');
  }
  const entrySectors = entries.length / sectorBytes;
  const last = sectors - 1;
  const header = (own: number, other: number, entriesAt: number): Buffer => {
    const block = Buffer.alloc(HEADER_BYTES);
    block.write('EFI PART', 0, 'latin1');
    block.writeUInt32LE(0x00010000, 8);
    block.writeUInt32LE(HEADER_BYTES, 12);
    block.writeBigUInt64LE(BigInt(own), 24);
    block.writeBigUInt64LE(BigInt(other), 32);
    block.writeBigUInt64LE(BigInt(MIB / sectorBytes), 40);
    block.writeBigUInt64LE(BigInt(last - entrySectors - 1), 48);
    guidBytes(guid).copy(block, 56);
    block.writeBigUInt64LE(BigInt(entriesAt), 72);
    block.writeUInt32LE(ENTRIES, 80);
    block.writeUInt32LE(ENTRY_BYTES, 84);
    block.writeUInt32LE(crc32(entries), 88);
    block.writeUInt32LE(crc32(block), 16);
    return block;
  };
  const mbr = Buffer.alloc(512);
  mbr.set(bootCode);
  // One partition over the whole disk, of a type that nothing else touches.
  mbr.set([0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff], 446);
  mbr.writeUInt32LE(1, 454);
  mbr.writeUInt32LE(Math.min(sectors - 1, 0xffffffff), 458);
  mbr.writeUInt16LE(0xaa55, 510);
  return [
    { offset: 0, data: mbr },
    { offset: sectorBytes, data: header(1, last, 2) },
    { offset: 2 * sectorBytes, data: entries },
    { offset: (last - entrySectors) * sectorBytes, data: entries },
    { offset: last * sectorBytes, data: header(last, 1, last - entrySectors) },
  ];
}

/** The first three fields are little-endian (UEFI 2.10, appendix A). */
function guidBytes(guid: string): Buffer {
  const [a = '', b = '', c = '', d = '', e = ''] = guid.split('-');
  const swapped = [a, b, c].map((field) => Buffer.from(field, 'hex').reverse());
  return Buffer.concat([...swapped, Buffer.from(d + e, 'hex')]);
}

import type { DiskState } from './disk-state.ts';

/** A FAT32 volume as GRUB reads it (grub-core/fs/fat.c): the first FAT, a file as long as its entry says, nothing repaired. */

const ENTRY = 32;
const END = 0x0ffffff8;
const LONG = 0x0f;
const FOLDER = 0x10;
const LABEL = 0x08;

export type FatFile = {
  readonly path: string;
  readonly isFolder: boolean;
  /** As far as they can be followed. */
  readonly clusters: readonly number[];
  /** null: the chain of clusters ends before the file does, or leads nowhere. */
  readonly content: Buffer | null;
};

export type FatVolume = {
  /** By path in lower case, as `/warmboot/a/valid`; of two with one name the first, as GRUB finds it. */
  readonly files: ReadonlyMap<string, FatFile>;
  /** Every entry, also those that no name leads to. */
  readonly entries: readonly FatFile[];
  /** The number in the FAT; 0 for a cluster that is free. */
  next(cluster: number): number;
  /** Where on the disk. */
  placeOf(cluster: number): { readonly offset: number; readonly bytes: number };
};

/** @param at where on the disk it begins @returns null when there is none */
export function readFat(disk: DiskState, at: number): FatVolume | null {
  const head = disk.read(at, 512);
  if (head.readUInt16LE(510) !== 0xaa55 || head.toString('latin1', 82, 87) !== 'FAT32') return null;
  const sectorBytes = head.readUInt16LE(11);
  const clusterBytes = sectorBytes * head.readUInt8(13);
  const fatAt = at + head.readUInt16LE(14) * sectorBytes;
  const fatBytes = head.readUInt32LE(36) * sectorBytes;
  const dataAt = fatAt + head.readUInt8(16) * fatBytes;
  const fat = disk.read(fatAt, fatBytes);
  const next = (cluster: number) => (cluster * 4 < fatBytes ? fat.readUInt32LE(cluster * 4) & 0x0fffffff : 0);
  const placeOf = (cluster: number) => ({
    offset: dataAt + (cluster - 2) * clusterBytes,
    bytes: clusterBytes,
  });

  const read = (first: number, bytes: number): Pick<FatFile, 'clusters' | 'content'> => {
    const clusters: number[] = [];
    const parts: Buffer[] = [];
    for (let cluster = first; clusters.length * clusterBytes < bytes; cluster = next(cluster)) {
      if (cluster < 2 || cluster >= END || clusters.includes(cluster)) return { clusters, content: null };
      clusters.push(cluster);
      parts.push(disk.read(placeOf(cluster).offset, clusterBytes));
    }
    return { clusters, content: Buffer.concat(parts).subarray(0, bytes) };
  };
  const readFolder = (first: number): Pick<FatFile, 'clusters' | 'content'> => {
    let length = 0;
    for (let cluster = first; cluster >= 2 && cluster < END && length < 64; cluster = next(cluster))
      length += 1;
    return read(first, length * clusterBytes);
  };

  const files = new Map<string, FatFile>();
  const entries: FatFile[] = [];
  const walk = (folder: string, first: number, depth: number): void => {
    const { content } = readFolder(first);
    if (content === null || depth > 4) return;
    for (const { name, start, bytes, isFolder } of entriesOf(content)) {
      if (name === '.' || name === '..') continue;
      const path = `${folder}/${name.toLowerCase()}`;
      const file = { path, isFolder, ...(isFolder ? readFolder(start) : read(start, bytes)) };
      entries.push(file);
      if (!files.has(path)) files.set(path, file);
      if (isFolder) walk(path, start, depth + 1);
    }
  };
  walk('', head.readUInt32LE(44), 0);
  return { files, entries, next, placeOf };
}

type Named = {
  readonly name: string;
  readonly start: number;
  readonly bytes: number;
  readonly isFolder: boolean;
};

function* entriesOf(folder: Buffer): Generator<Named> {
  let long: { name: string; sum: number; left: number } | null = null;
  for (let at = 0; at + ENTRY <= folder.length; at += ENTRY) {
    const entry = folder.subarray(at, at + ENTRY);
    const [first = 0, attributes = 0] = [entry[0], entry[11]];
    if (first === 0) return;
    if (first === 0xe5) {
      long = null;
      continue;
    }
    if (attributes === LONG) {
      const order = first & 0x3f;
      const text = [entry.subarray(1, 11), entry.subarray(14, 26), entry.subarray(28, 32)]
        .map((part) => part.toString('utf16le'))
        .join('');
      const sum = entry[13] ?? 0;
      if ((first & 0x40) !== 0) long = { name: text, sum, left: order - 1 };
      else if (long !== null && long.left === order && long.sum === sum)
        long = { name: text + long.name, sum, left: order - 1 };
      else long = null;
      continue;
    }
    if ((attributes & LABEL) === 0) {
      const isLong = long !== null && long.left === 0 && long.sum === checksum(entry);
      yield {
        name: isLong ? (long?.name.split('\0')[0] ?? '') : shortName(entry),
        start: entry.readUInt16LE(20) * 65536 + entry.readUInt16LE(26),
        bytes: entry.readUInt32LE(28),
        isFolder: (attributes & FOLDER) !== 0,
      };
    }
    long = null;
  }
}

function shortName(entry: Buffer): string {
  const part = (from: number, to: number) => entry.toString('latin1', from, to).trimEnd();
  const end = part(8, 11);
  return end === '' ? part(0, 8) : `${part(0, 8)}.${end}`;
}

function checksum(entry: Buffer): number {
  let sum = 0;
  for (let i = 0; i < 11; i += 1) sum = (((sum & 1) << 7) + (sum >> 1) + (entry[i] ?? 0)) & 0xff;
  return sum;
}

import { directoryBytes, directoryContent, type Entry, isFatName } from './directory.ts';

/** A file to be put on the volume: `grub/grub.cfg`. Its folders are made. */
export interface FatFile {
  readonly path: string;
  readonly bytes: number;
}

export interface Fat32Options {
  /** Length of the volume: whole sectors. */
  readonly bytes: number;
  readonly sectorBytes: 512 | 4096;
  /** Sectors before the volume on its disk. */
  readonly hiddenSectors: number;
  /** 32 bits. */
  readonly volumeId: number;
  /** Up to 11 capitals and digits. */
  readonly label: string;
}

/** What the volume holds; what neither list covers reads as zeros. Offsets are bytes from its start. */
export interface Fat32Plan {
  readonly bytes: number;
  /** Boot sectors, allocation tables, folders; in rising order. */
  readonly metadata: readonly { readonly offset: number; readonly data: Uint8Array }[];
  /** Each file's content in one piece; empty files have none. */
  readonly files: readonly (FatFile & { readonly offset: number })[];
}

export type Fat32Planned =
  | { readonly ok: true; readonly plan: Fat32Plan }
  /** A clause for people without a full stop. */
  | { readonly ok: false; readonly reason: string };

/** A volume with fewer clusters is FAT16, whatever its boot sector says (Microsoft FAT specification 1.03). */
const MIN_CLUSTERS = 65_525;
/** Firmware was seen to count a few clusters differently: stay clear of the border. */
const MARGIN = 16;
const MAX_CLUSTER_BYTES = 4096;
const FATS = 2;
const RESERVED_SECTORS = 32;
const BACKUP_SECTOR = 6;
const ROOT_CLUSTER = 2;
const END_OF_CHAIN = 0x0fffffff;
const MIB = 1024 * 1024;

interface Geometry {
  readonly clusterBytes: number;
  readonly clusters: number;
  readonly reservedSectors: number;
  readonly fatSectors: number;
  readonly dataOffset: number;
}

interface Folder {
  readonly name: string;
  readonly parent: Folder | null;
  readonly folders: Map<string, Folder>;
  readonly files: FatFile[];
  cluster: number;
}

/** Lays files out on an empty FAT32 volume, each in one piece. The same input gives the same bytes. */
export function planFat32(files: readonly FatFile[], options: Fat32Options): Fat32Planned {
  const geometry = geometryOf(options);
  if (geometry === null) {
    const smallest = options.sectorBytes === 512 ? 33 : 257;
    return {
      ok: false,
      reason: `FAT32 with sectors of ${options.sectorBytes} bytes needs ${smallest} MiB at least, the boot partition has ${options.bytes / MIB}`,
    };
  }
  const wrong = files.find(({ path }) => !path.split('/').every(isFatName));
  if (wrong) return { ok: false, reason: `${wrong.path} is no name for a FAT file` };
  const big = files.find(({ bytes }) => bytes >= 2 ** 32);
  if (big) return { ok: false, reason: `${big.path} has ${big.bytes} bytes, a FAT file at most 4294967295` };

  const root = folderTree(files);
  const folders = inOrder(root);
  const chains: { first: number; count: number }[] = [];
  let next = ROOT_CLUSTER;
  const take = (bytes: number): number => {
    const count = Math.ceil(bytes / geometry.clusterBytes);
    if (count === 0) return 0;
    const first = next;
    chains.push({ first, count });
    next += count;
    return first;
  };
  for (const folder of folders) {
    const names = [...folder.folders.keys(), ...folder.files.map(({ path }) => baseName(path))];
    folder.cluster = take(directoryBytes(names, folder.parent ? 2 : 1));
  }
  const fileClusters = new Map(files.map((file) => [file, take(file.bytes)]));
  const used = next - ROOT_CLUSTER;
  if (used > geometry.clusters)
    return {
      ok: false,
      reason: `the files need ${Math.ceil((used * geometry.clusterBytes) / MIB)} MiB, the boot partition has room for ${Math.floor((geometry.clusters * geometry.clusterBytes) / MIB)}`,
    };

  const offsetOf = (cluster: number) =>
    geometry.dataOffset + (cluster - ROOT_CLUSTER) * geometry.clusterBytes;
  const table = allocationTable(chains, next);
  const fatOffset = geometry.reservedSectors * options.sectorBytes;
  const fatBytes = geometry.fatSectors * options.sectorBytes;
  const metadata = [
    ...bootSectors(options, geometry, used, next),
    { offset: fatOffset, data: table },
    { offset: fatOffset + fatBytes, data: table },
    ...folders.map((folder) => ({
      offset: offsetOf(folder.cluster),
      data: folderContent(folder, fileClusters, options.label),
    })),
  ];
  const placed = files
    .filter(({ bytes }) => bytes > 0)
    .map((file) => ({ ...file, offset: offsetOf(fileClusters.get(file) ?? 0) }));
  return { ok: true, plan: { bytes: options.bytes, metadata, files: placed } };
}

/** The largest clusters up to 4 KiB with which the volume is FAT32; null when there are none. */
function geometryOf({ bytes, sectorBytes }: Fat32Options): Geometry | null {
  for (let clusterBytes = MAX_CLUSTER_BYTES; clusterBytes >= sectorBytes; clusterBytes /= 2) {
    // A volume of hundreds of GiB keeps its tables small.
    while (bytes / clusterBytes > 2 ** 22 && clusterBytes < 65_536) clusterBytes *= 2;
    const sectors = bytes / sectorBytes;
    const perCluster = clusterBytes / sectorBytes;
    const atMost = Math.floor((sectors - RESERVED_SECTORS) / perCluster);
    const fatSectors = Math.ceil(((atMost + ROOT_CLUSTER) * 4) / sectorBytes);
    // The data begin at a whole 4 KiB, so that a cluster is never torn over two blocks of the disk.
    const before = RESERVED_SECTORS + FATS * fatSectors;
    const reservedSectors = RESERVED_SECTORS + ((-before * sectorBytes) & 4095) / sectorBytes;
    const dataSectors = sectors - reservedSectors - FATS * fatSectors;
    const clusters = Math.floor(dataSectors / perCluster);
    if (clusters >= MIN_CLUSTERS + MARGIN) {
      const dataOffset = (reservedSectors + FATS * fatSectors) * sectorBytes;
      return { clusterBytes, clusters, reservedSectors, fatSectors, dataOffset };
    }
  }
  return null;
}

function folderTree(files: readonly FatFile[]): Folder {
  const folder = (name: string, parent: Folder | null): Folder => ({
    name,
    parent,
    folders: new Map(),
    files: [],
    cluster: 0,
  });
  const root = folder('', null);
  for (const file of files) {
    let at = root;
    for (const name of file.path.split('/').slice(0, -1)) {
      const child = at.folders.get(name) ?? folder(name, at);
      at.folders.set(name, child);
      at = child;
    }
    at.files.push(file);
  }
  return root;
}

/** A folder before what is in it. */
function inOrder(folder: Folder): Folder[] {
  return [folder, ...[...folder.folders.values()].flatMap(inOrder)];
}

function folderContent(
  folder: Folder,
  fileClusters: ReadonlyMap<FatFile, number>,
  label: string,
): Uint8Array {
  const entries: Entry[] = [
    ...[...folder.folders.values()].map(({ name, cluster }) => ({ name, isFolder: true, cluster, bytes: 0 })),
    ...folder.files.map((file) => ({
      name: baseName(file.path),
      isFolder: false,
      cluster: fileClusters.get(file) ?? 0,
      bytes: file.bytes,
    })),
  ];
  const { parent } = folder;
  // A parent that is the root is written as cluster 0.
  const own = parent ? { self: folder.cluster, parent: parent.parent ? parent.cluster : 0 } : { label };
  return directoryContent(own, entries);
}

/** The table as far as it is used. */
function allocationTable(chains: readonly { first: number; count: number }[], end: number): Uint8Array {
  const table = new Uint8Array(end * 4);
  const view = new DataView(table.buffer);
  view.setUint32(0, 0x0ffffff8, true);
  view.setUint32(4, END_OF_CHAIN, true);
  for (const { first, count } of chains)
    for (let i = 0; i < count; i += 1)
      view.setUint32((first + i) * 4, i === count - 1 ? END_OF_CHAIN : first + i + 1, true);
  return table;
}

/** Boot sector and FSInfo, and their copies. */
function bootSectors(options: Fat32Options, geometry: Geometry, used: number, next: number) {
  const { sectorBytes } = options;
  const info = new Uint8Array(512);
  const view = new DataView(info.buffer);
  view.setUint32(0, 0x41615252, true);
  view.setUint32(484, 0x61417272, true);
  view.setUint32(488, geometry.clusters - used, true);
  view.setUint32(492, next - 1, true);
  view.setUint32(508, 0xaa550000, true);
  const boot = bootSector(options, geometry);
  return [
    { offset: 0, data: boot },
    { offset: sectorBytes, data: info },
    { offset: BACKUP_SECTOR * sectorBytes, data: boot },
    { offset: (BACKUP_SECTOR + 1) * sectorBytes, data: info },
  ];
}

function bootSector(options: Fat32Options, geometry: Geometry): Uint8Array {
  const { sectorBytes } = options;
  const sector = new Uint8Array(512);
  const view = new DataView(sector.buffer);
  const text = (at: number, content: string) => {
    for (let i = 0; i < content.length; i += 1) sector[at + i] = content.charCodeAt(i);
  };
  sector.set([0xeb, 0x58, 0x90]);
  text(3, 'WARMBOOT');
  view.setUint16(11, sectorBytes, true);
  sector[13] = geometry.clusterBytes / sectorBytes;
  view.setUint16(14, geometry.reservedSectors, true);
  sector[16] = FATS;
  sector[21] = 0xf8;
  view.setUint16(24, 63, true);
  view.setUint16(26, 255, true);
  view.setUint32(28, options.hiddenSectors, true);
  view.setUint32(32, options.bytes / sectorBytes, true);
  view.setUint32(36, geometry.fatSectors, true);
  view.setUint32(44, ROOT_CLUSTER, true);
  view.setUint16(48, 1, true);
  view.setUint16(50, BACKUP_SECTOR, true);
  sector[64] = 0x80;
  sector[66] = 0x29;
  view.setUint32(67, options.volumeId, true);
  text(71, options.label.padEnd(11));
  text(82, 'FAT32   ');
  // Started as a boot sector by mistake: stop.
  sector.set([0xfa, 0xf4, 0xeb, 0xfd], 90);
  view.setUint16(510, 0xaa55, true);
  return sector;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

import type { Latin1 } from '../node.ts';
import { DATA_HEADER, entryBytes } from './directory-shape.ts';
import { put64, type Volume } from './encode.ts';
import { BLOCK, basicBlock } from './geometry.ts';
import { nameHash } from './hash.ts';

export interface DirectoryEntry {
  readonly name: Latin1;
  readonly ino: number;
  /** `ftype`. */
  readonly type: number;
}

/** Largest inode number that a short-form directory can write in 32 bits. */
const MAX_SHORT_INO = 0xffffffff;

export function isWide(ino: number): boolean {
  return ino > MAX_SHORT_INO;
}

/** A directory that lies within its inode. "." is implied; ".." is the parent in its head. */
export function shortForm(parent: number, entries: readonly DirectoryEntry[]): Buffer {
  const wide = [parent, ...entries.map(({ ino }) => ino)].filter(isWide).length;
  const number = wide > 0 ? 8 : 4;
  const bytes = entries.reduce((total, { name }) => total + 4 + name.length + number, 2 + number);
  const fork = Buffer.alloc(bytes);
  const putIno = (at: number, ino: number) =>
    number === 8 ? put64(fork, at, ino) : fork.writeUInt32BE(ino, at);
  fork[0] = entries.length;
  fork[1] = wide;
  putIno(2, parent);
  let at = 2 + number;
  // Each entry keeps the offset that it would have in a block, so that a reader's position survives the change of form.
  let offset = DATA_HEADER + entryBytes('.') + entryBytes('..');
  for (const { name, ino, type } of entries) {
    fork[at] = name.length;
    fork.writeUInt16BE(offset, at + 1);
    fork.write(name, at + 3, 'latin1');
    fork[at + 3 + name.length] = type;
    putIno(at + 4 + name.length, ino);
    at += 4 + name.length + number;
    offset += entryBytes(name);
  }
  return fork;
}

/** Hash and address (in units of 8 bytes) of every entry; `order` sorts them by hash. */
export interface Addresses {
  readonly hashes: Uint32Array;
  readonly addresses: Uint32Array;
  readonly order: Uint32Array;
}

/** Fills the data blocks; `bests[i]` is the free room in block i. `end`: how far each block may be filled. */
export function putEntries(
  blocks: Buffer,
  entries: readonly DirectoryEntry[],
  end: number,
): Addresses & { bests: number[] } {
  const hashes = new Uint32Array(entries.length);
  const addresses = new Uint32Array(entries.length);
  const bests: number[] = [];
  let block = 0;
  let at = DATA_HEADER;
  const finish = (): void => {
    const free = end - at;
    bests.push(free);
    if (free === 0) return;
    const base = block * BLOCK;
    blocks.writeUInt16BE(0xffff, base + at);
    blocks.writeUInt16BE(free, base + at + 2);
    blocks.writeUInt16BE(at, base + at + free - 2);
    blocks.writeUInt16BE(at, base + 48);
    blocks.writeUInt16BE(free, base + 50);
  };
  entries.forEach(({ name, ino, type }, i) => {
    const bytes = entryBytes(name);
    if (at + bytes > end) {
      finish();
      block += 1;
      at = DATA_HEADER;
    }
    const base = block * BLOCK + at;
    put64(blocks, base, ino);
    blocks[base + 8] = name.length;
    blocks.write(name, base + 9, 'latin1');
    blocks[base + 9 + name.length] = type;
    blocks.writeUInt16BE(at, base + bytes - 2);
    hashes[i] = nameHash(name);
    addresses[i] = base / 8;
    at += bytes;
  });
  finish();
  const order = Uint32Array.from(entries.keys());
  order.sort((a, b) => (hashes[a] as number) - (hashes[b] as number) || a - b);
  return { hashes, addresses, order, bests };
}

/** Head of a data block or a block of the free index. */
export function putDataHeader(volume: Volume, block: Buffer, magic: string, at: number, ino: number): void {
  block.write(magic, 0, 'latin1');
  put64(block, 8, basicBlock(at));
  volume.uuid.copy(block, 24);
  put64(block, 40, ino);
}

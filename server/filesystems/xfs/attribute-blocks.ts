import type { Attribute } from './attributes.ts';
import { levelsOf, sum } from './btree.ts';
import { put64, roundUp, seal, type Volume } from './encode.ts';
import { BLOCK, basicBlock } from './geometry.ts';
import { nameHash } from './hash.ts';
import { firstOfLevel, INDEX_CRC_AT, MAGIC, neighbours, putHashNodes, putIndexHeader } from './hash-tree.ts';

const LEAF_HEADER = 80;
const ENTRY = 8;
const NODE_CAPACITY = (BLOCK - 64) / 8;
/** An attribute above three quarters of a block keeps its value in blocks of its own. */
const MAX_LOCAL = (BLOCK * 3) / 4;
export const REMOTE_HEADER = 56;
const REMOTE_BYTES = BLOCK - REMOTE_HEADER;
const LOCAL_FLAG = 1;

interface Placed {
  readonly attribute: Attribute;
  readonly hash: number;
  /** In the leaf: name and value, or name and where the value is. */
  readonly bytes: number;
  /** First block of the value in the fork; null when it is in the leaf. */
  readonly remote: number | null;
}

interface AttributePlan {
  readonly leaves: readonly (readonly Placed[])[];
  readonly levels: readonly number[];
  readonly blocks: number;
}

/** How many blocks the attributes need besides the inode. */
export function attributeBlocks(attributes: readonly Attribute[]): number {
  return planAttributes(attributes).blocks;
}

/** Sorts by hash, fills leaves, puts the long values behind them. */
function planAttributes(attributes: readonly Attribute[]): AttributePlan {
  const sorted = attributes
    .map((attribute) => ({ attribute, hash: nameHash(attribute.name), ...leafBytes(attribute) }))
    .sort((a, b) => a.hash - b.hash);
  const leaves: (typeof sorted)[] = [[]];
  let used = LEAF_HEADER;
  for (const each of sorted) {
    if (used + ENTRY + each.bytes > BLOCK) {
      leaves.push([]);
      used = LEAF_HEADER;
    }
    (leaves.at(-1) as typeof sorted).push(each);
    used += ENTRY + each.bytes;
  }
  const levels = levelsOf(leaves.length, 1, NODE_CAPACITY);
  let next = sum(levels);
  const placed = leaves.map((leaf) =>
    leaf.map(({ isRemote, ...each }) => {
      const remote = isRemote ? next : null;
      if (isRemote) next += Math.ceil(each.attribute.value.length / REMOTE_BYTES);
      return { ...each, remote };
    }),
  );
  return { leaves: placed, levels, blocks: next };
}

function leafBytes({ name, value }: Attribute): { bytes: number; isRemote: boolean } {
  const local = roundUp(3 + name.length + value.length, 4);
  // Two bytes of padding that compilers once put there belong to the format.
  return local < MAX_LOCAL
    ? { bytes: local, isRemote: false }
    : { bytes: roundUp(9 + 2 + name.length, 4), isRemote: true };
}

/** All blocks of an attribute fork that does not lie within its inode; they begin at `start` (linear). */
export function makeAttributes(
  volume: Volume,
  ino: number,
  start: number,
  attributes: readonly Attribute[],
): Buffer {
  const { leaves, levels, blocks } = planAttributes(attributes);
  const all = Buffer.alloc(blocks * BLOCK);
  const first = firstOfLevel(levels, 0);
  leaves.forEach((leaf, i) => {
    const block = all.subarray((first + i) * BLOCK, (first + i + 1) * BLOCK);
    const head = neighbours(first + i, i, leaves.length);
    putIndexHeader(volume, block, { magic: MAGIC.attributeLeaf, at: start + first + i, ino, ...head });
    putLeaf(block, leaf);
    for (const { attribute, remote } of leaf)
      if (remote !== null) putValue(volume, all, ino, start, remote, attribute);
  });
  const lastHashes = leaves.map((leaf) => leaf.at(-1)?.hash ?? 0);
  putHashNodes(volume, all, { levels, forkStart: 0, start, ino, lastHashes });
  return all;
}

function putLeaf(block: Buffer, leaf: readonly Placed[]): void {
  let at = BLOCK;
  leaf.forEach(({ attribute: { name, namespace, value }, hash, bytes, remote }, i) => {
    at -= bytes;
    const entry = LEAF_HEADER + i * ENTRY;
    block.writeUInt32BE(hash, entry);
    block.writeUInt16BE(at, entry + 4);
    block[entry + 6] = namespace | (remote === null ? LOCAL_FLAG : 0);
    if (remote === null) {
      block.writeUInt16BE(value.length, at);
      block[at + 2] = name.length;
      block.write(name + value, at + 3, 'latin1');
    } else {
      block.writeUInt32BE(remote, at);
      block.writeUInt32BE(value.length, at + 4);
      block[at + 8] = name.length;
      block.write(name, at + 9, 'latin1');
    }
  });
  const entriesEnd = LEAF_HEADER + leaf.length * ENTRY;
  block.writeUInt16BE(leaf.length, 56);
  block.writeUInt16BE(BLOCK - at, 58);
  block.writeUInt16BE(at, 60);
  block.writeUInt16BE(entriesEnd, 64);
  block.writeUInt16BE(at - entriesEnd, 66);
  seal(block, INDEX_CRC_AT);
}

function putValue(
  volume: Volume,
  all: Buffer,
  ino: number,
  start: number,
  remote: number,
  { value }: Attribute,
): void {
  for (let offset = 0; offset < value.length; offset += REMOTE_BYTES) {
    const index = remote + offset / REMOTE_BYTES;
    const block = all.subarray(index * BLOCK, (index + 1) * BLOCK);
    const bytes = Math.min(REMOTE_BYTES, value.length - offset);
    block.write('XARM', 0, 'latin1');
    block.writeUInt32BE(offset, 4);
    block.writeUInt32BE(bytes, 8);
    volume.uuid.copy(block, 16);
    put64(block, 32, ino);
    put64(block, 40, basicBlock(start + index));
    // Values are written past the journal: their sequence number is always "none".
    block.fill(0xff, 48, 56);
    block.write(value.slice(offset, offset + bytes), REMOTE_HEADER, 'latin1');
    seal(block, 12);
  }
}

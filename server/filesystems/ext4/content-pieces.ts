import { crc32c, crc32cOfNumber } from '../crc32c.ts';
import type { Piece, PieceSource } from '../piece.ts';
import { encodeDirectoryBlock } from './directory-blocks.ts';
import { layDirectory } from './directory-layout.ts';
import { encodeExtents, IN_BLOCK } from './extents.ts';
import { BLOCK, viewOf } from './format.ts';
import { inodeSeed } from './inode-bytes.ts';
import { extentsOf, type Layout, treePlace, xattrPlace } from './layout.ts';
import { BLOCK_CHECKSUM_AT, encodeXattrs, REFERENCES_AT } from './xattrs.ts';

/** A piece of a directory or an extent tree is at most so long. */
const MADE_PIECE_BLOCKS = 64;

const ENTRY_TYPES = { file: 1, directory: 2, character: 3, block: 4, fifo: 5, symlink: 7 } as const;

/** Directories, xattrs and extent trees, then contents: in rising order. */
export function* contentPieces(layout: Layout, seed: number | null): Generator<Piece> {
  const count = layout.inventory.nodes.length;
  for (let i = 0; i < count; i += 1) {
    yield* directoryPieces(layout, i, seed);
    yield* xattrPieces(layout, i, seed);
    yield* treePieces(layout, i, seed);
  }
  for (let i = 0; i < count; i += 1) yield* dataPieces(layout, i);
}

/** Blocks that are made one by one, as pieces of bounded length. */
function* madePieces(
  { geometry }: Layout,
  place: number,
  count: number,
  make: (index: number) => Uint8Array,
): Generator<Piece> {
  let index = 0;
  for (const run of geometry.free.split(place, count))
    for (let at = 0; at < run.count; at += MADE_PIECE_BLOCKS) {
      const blocks = Math.min(MADE_PIECE_BLOCKS, run.count - at);
      const first = index;
      index += blocks;
      yield {
        offset: (run.block + at) * BLOCK,
        bytes: blocks * BLOCK,
        from: {
          kind: 'made',
          make() {
            const bytes = new Uint8Array(blocks * BLOCK);
            for (let i = 0; i < blocks; i += 1) bytes.set(make(first + i), i * BLOCK);
            return bytes;
          },
        },
      };
    }
}

function* directoryPieces(layout: Layout, index: number, seed: number | null): Generator<Piece> {
  const { inventory, inodes, metaAt } = layout;
  const blocks = inventory.directoryBlocks[index] as number;
  if (blocks === 0) return;
  const inode = inodes[index] as number;
  // Laid out when its first block is asked for, and kept no longer than its pieces.
  const open = () => {
    const children = inventory.childrenOf(index);
    const names = children.map(({ name }) => name);
    const content = {
      inode,
      parentInode: inodes[inventory.parents[index] as number] as number,
      names,
      inodeOf: (i: number) => inodes[inventory.indexOf(children[i] as (typeof children)[number])] as number,
      typeOf: (i: number) => ENTRY_TYPES[children[i]?.inode.meta.type ?? 'file'],
    };
    const laid = layDirectory(names, seed !== null);
    if (!laid) throw new RangeError('a directory that was measured has become too large');
    return { content, laid };
  };
  let opened: ReturnType<typeof open> | undefined;
  const ownSeed = seed === null ? null : inodeSeed(seed, inode);
  yield* madePieces(layout, metaAt[index] as number, blocks, (block) => {
    opened ??= open();
    return encodeDirectoryBlock(opened.content, opened.laid, block, ownSeed);
  });
}

function* xattrPieces(layout: Layout, index: number, seed: number | null): Generator<Piece> {
  const { inventory, geometry } = layout;
  const references = inventory.xattrReferences[index] as number;
  if (references === 0) return;
  const place = xattrPlace(layout, index);
  yield* madePieces(layout, place, 1, () => {
    const encoded = encodeXattrs(inventory.nodes[index]?.inode.meta.xattrs ?? new Map());
    if (typeof encoded === 'string' || !encoded.inBlock)
      throw new RangeError('xattrs that were measured are gone');
    const view = viewOf(encoded.inBlock);
    view.setUint32(REFERENCES_AT, references, true);
    if (seed !== null) {
      const block = geometry.free.blockAt(place);
      const numbered = crc32cOfNumber(crc32cOfNumber(seed, block % 2 ** 32), Math.floor(block / 2 ** 32));
      view.setUint32(BLOCK_CHECKSUM_AT, crc32c(encoded.inBlock, numbered), true);
    }
    return encoded.inBlock;
  });
}

function* treePieces(layout: Layout, index: number, seed: number | null): Generator<Piece> {
  const { geometry, treeUsed, inodes } = layout;
  const count = treeUsed[index] as number;
  if (count === 0) return;
  const place = treePlace(layout, index);
  let blocks: readonly Uint8Array[] | undefined;
  yield* madePieces(layout, place, count, (block) => {
    blocks ??= encodeExtents(extentsOf(layout, index), (i) => geometry.free.blockAt(place + i)).blocks;
    const bytes = blocks[block] as Uint8Array;
    if (seed !== null) {
      const end = 12 * (IN_BLOCK + 1);
      const checksum = crc32c(bytes.subarray(0, end), inodeSeed(seed, inodes[index] as number));
      viewOf(bytes).setUint32(end, checksum, true);
    }
    return bytes;
  });
}

function* dataPieces({ inventory, geometry, dataAt }: Layout, index: number): Generator<Piece> {
  const blocks = inventory.dataBlocks[index] as number;
  const inode = inventory.nodes[index]?.inode;
  if (blocks === 0 || !inode) return;
  let place = dataAt[index] as number;
  if (inode.meta.type === 'symlink') {
    const { link } = inode.meta;
    const make = (): Uint8Array => {
      const block = new Uint8Array(BLOCK);
      block.set(Buffer.from(link, 'latin1'));
      return block;
    };
    yield { offset: geometry.free.blockAt(place) * BLOCK, bytes: BLOCK, from: { kind: 'made', make } };
    return;
  }
  for (const run of inode.content) {
    const count = Math.ceil(run.bytes / BLOCK);
    let taken = 0;
    for (const part of geometry.free.split(place, count)) {
      const bytes = part.count * BLOCK;
      const from: PieceSource = {
        kind: 'copied',
        file: run.file,
        offset: run.offset + taken,
        bytes: Math.min(bytes, run.bytes - taken),
      };
      yield { offset: part.block * BLOCK, bytes, from };
      taken += bytes;
    }
    place += count;
  }
}

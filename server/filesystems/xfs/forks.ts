import type { Latin1, NodeMetadata } from '../node.ts';
import { attributeBlocks } from './attribute-blocks.ts';
import { type Attribute, shortAttributesBytes } from './attributes.ts';
import { type DirectoryShape, directoryShape, shortFormBytes } from './directory-shape.ts';
import { FORK_BYTES } from './inode-bytes.ts';

/** What lies within an inode and what in blocks of its own. */
export interface Forks {
  /** Room for the data fork; with attributes also the offset of theirs, a multiple of 8. */
  readonly dataBytes: number;
  /** Short directory, short symlink or device: no blocks. */
  readonly isInline: boolean;
  /** For a directory that has blocks. */
  readonly directory: DirectoryShape | null;
  readonly attributes: 'none' | 'inline' | 'blocks';
  readonly attributeBlocks: number;
}

/** The kernel needs room for a tree's root of three pointers in the data fork, of two in the attribute fork. */
const MIN_DATA = 56;
const MIN_ATTRIBUTES = 40;
const DEVICE_BYTES = 8;

/** `wide`: inode numbers may need 64 bits. `names`: of a directory's entries. */
export function forksOf(
  meta: NodeMetadata,
  names: readonly Latin1[],
  attributes: readonly Attribute[],
  wide: boolean,
): Forks {
  const short = shortAttributesBytes(attributes);
  const isDevice = meta.type === 'character' || meta.type === 'block' || meta.type === 'fifo';
  const least = isDevice ? DEVICE_BYTES : MIN_DATA;
  const placed = attributes.length === 0 ? 'none' : short <= FORK_BYTES - least ? 'inline' : 'blocks';
  const dataBytes = isDevice && placed !== 'none' ? DEVICE_BYTES : dataRoom(placed, short);
  const wanted = isDevice ? 4 : inlineBytes(meta, names, wide);
  const isInline = wanted !== null && wanted <= dataBytes;
  return {
    dataBytes,
    isInline,
    directory: meta.type === 'directory' && !isInline ? directoryShape(names) : null,
    attributes: placed,
    attributeBlocks: placed === 'blocks' ? attributeBlocks(attributes) : 0,
  };
}

function dataRoom(attributes: Forks['attributes'], shortBytes: number): number {
  switch (attributes) {
    case 'none':
      return FORK_BYTES;
    case 'inline':
      return Math.floor((FORK_BYTES - shortBytes) / 8) * 8;
    case 'blocks':
      return FORK_BYTES - MIN_ATTRIBUTES;
    default:
      return attributes satisfies never;
  }
}

function inlineBytes(meta: NodeMetadata, names: readonly Latin1[], wide: boolean): number | null {
  if (meta.type === 'symlink') return meta.link.length;
  return meta.type === 'directory' ? shortFormBytes(names, wide) : null;
}

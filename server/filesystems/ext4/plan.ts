import { FILESYSTEM_BYTES } from '../../core/image-index.ts';
import { crc32c } from '../crc32c.ts';
import type { FileTree } from '../file-tree.ts';
import type { Piece, Planned } from '../piece.ts';
import { contentPieces } from './content-pieces.ts';
import { fixedPieces } from './fixed-pieces.ts';
import { BLOCK } from './format.ts';
import { takeInventory } from './inventory.ts';
import { layOut } from './layout.ts';

/**
 * Which features are on. `classic`: what Linux 3.10 mounts and e2fsck 1.42 checks. `modern`: with `metadata_csum` and `64bit`,
 * for e2fsck 1.43 and later.
 */
export type Ext4Profile = 'classic' | 'modern';

export interface Ext4Options {
  /** Length of the partition: a multiple of 4096, 16 MiB to 16 TiB. */
  readonly bytes: number;
  readonly uuid: string;
  readonly profile: Ext4Profile;
}

const { min: SMALLEST, max: LARGEST } = FILESYSTEM_BYTES.ext4;

/**
 * Lays a tree out as an ext4 filesystem. The same tree and options give the same bytes, whatever the machine. Where things lie
 * is made for small differences between two builds: see layout.ts and placing.ts. The tree must not change until the last
 * piece was made.
 */
export function planExt4(tree: FileTree, { bytes, uuid, profile }: Ext4Options): Planned {
  if (bytes < SMALLEST || bytes > LARGEST || bytes % BLOCK !== 0)
    return unsupported(
      `ext4 partitions are made from 16 MiB to 16 TiB in steps of 4096 bytes, not with ${bytes} bytes`,
    );
  const identity = Buffer.from(uuid.replaceAll('-', ''), 'hex');
  if (identity.length !== 16) return unsupported(`${uuid} is no UUID`);
  const hasChecksums = profile === 'modern';
  const inventory = takeInventory(tree, hasChecksums);
  if (typeof inventory === 'string') return unsupported(inventory);
  const layout = layOut(inventory, { bytes, uuid, profile });
  if (typeof layout === 'string') return { ok: false, why: 'full', reason: layout };
  const seed = hasChecksums ? crc32c(identity) : null;
  return {
    ok: true,
    plan: {
      bytes,
      pieces: () =>
        merge(fixedPieces(layout, { uuid: identity, profile, seed }), contentPieces(layout, seed)),
    },
  };
}

function unsupported(reason: string): Planned {
  return { ok: false, why: 'unsupported', reason };
}

/** Two rising sequences as one. */
function* merge(first: readonly Piece[], second: Generator<Piece>): Generator<Piece> {
  let next = 0;
  for (const piece of second) {
    for (let other = first[next]; other && other.offset < piece.offset; other = first[next]) {
      yield other;
      next += 1;
    }
    yield piece;
  }
  yield* first.slice(next);
}

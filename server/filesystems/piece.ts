/** A run of a partition and where its bytes come from. Both numbers are multiples of 4096. */
export interface Piece {
  readonly offset: number;
  readonly bytes: number;
  readonly from: PieceSource;
}

/**
 * `made`: bytes that the planner computes when they are asked for, exactly `piece.bytes` of them. `copied`: `bytes` bytes of a
 * file of this machine, followed by zeros up to the end of the piece.
 */
export type PieceSource =
  | { readonly kind: 'made'; make(): Uint8Array }
  | { readonly kind: 'copied'; readonly file: string; readonly offset: number; readonly bytes: number };

/** A filesystem that was laid out and can now be written, front to back, by whoever reads the pieces. */
export interface FilesystemPlan {
  /** Length of the partition. */
  readonly bytes: number;
  /** In rising order, not overlapping. What no piece covers reads as zeros. Each call begins anew and gives the same. */
  pieces(): Iterable<Piece>;
}

/**
 * A planner's answer. `full`: the tree needs more than the partition has. `unsupported`: this filesystem cannot hold what
 * the tree has. `reason` is a clause for people without a full stop; it names the path where there is one.
 */
export type Planned =
  | { readonly ok: true; readonly plan: FilesystemPlan }
  | { readonly ok: false; readonly why: 'full' | 'unsupported'; readonly reason: string };

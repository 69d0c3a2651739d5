import type { Digest, ImageRef } from './digest.ts';
import type { NewEvent } from './events.ts';
import type { PlacedChunk } from './ports.ts';

/** What keeps the store's rows clean. */

/**
 * Why a host needs an image; `slot`: it lies in a slot that could be booted. `rollout`: one that is not over brings it there,
 * `rollback`: has brought it from there.
 */
export type ImageNeed = {
  readonly mac: string;
  readonly why: 'assigned' | 'attempt' | 'rollout' | 'rollback' | 'runs' | 'slot';
};

/** How much of a pack is alive. */
export type PackUse = { readonly id: string; readonly bytes: number; readonly liveBytes: number };

/** Whether a running build or upload counts on a chunk (64 hex digits) or an image (`sha256:…`). Asked within a transaction. */
export type IsPinned = (name: string) => boolean;

/**
 * What keeps the store clean. Each call is one short transaction, and each may be the last before a crash: what is left
 * to do is found again.
 */
export type StoreUpkeep = {
  needs(digest: Digest): Promise<readonly ImageNeed[]>;
  /**
   * Takes a tag away, or all tags of a digest. `decide` throws to refuse it, or answers with the events to write.
   * @returns null when there is no such image
   */
  removeTags(
    ref: ImageRef,
    decide: (facts: {
      readonly digest: Digest;
      readonly tagsLeft: number;
      readonly needs: readonly ImageNeed[];
    }) => readonly NewEvent[],
  ): Promise<{ readonly digest: Digest; readonly tagsRemoved: number } | null>;
  /** Removes the rows of images without tag that nobody needs. From then on they do not exist. */
  dropUnneeded(isPinned: IsPinned): Promise<readonly Digest[]>;
  /** Clears a part of what removed images used. @returns false when nothing was left to clear */
  clearUses(): Promise<boolean>;
  /** Removes the rows of unused chunks among the next ones after `after`. `next` is null at the end. */
  sweepChunks(
    after: string | null,
    isPinned: IsPinned,
  ): Promise<{ readonly next: string | null; readonly removedBytes: number }>;
  /** The next pack by id. */
  nextPack(after: string | null): Promise<PackUse | null>;
  /** Chunks of a pack that have a row, in the order in which they lie, a part at a time. */
  packFrames(packId: string, afterOffset: number): Promise<readonly PlacedChunk[]>;
  /**
   * Moves chunks to their new places in pack `to`, those that are still in `from`; in parts, for both packs can be read.
   * @returns whether each pack has a row afterwards: `to` unless none was left to move, `from` if it still has any
   */
  movePack(
    from: string,
    to: string,
    bytes: number,
    moved: readonly { readonly sha256: string; readonly offset: number }[],
  ): Promise<{ readonly hasFrom: boolean; readonly hasTo: boolean }>;
  /** @returns whether it was empty and is gone */
  dropPack(id: string): Promise<boolean>;
  /**
   * Removes the rows of damaged chunks, where they still lie where the damage was found: the next build, import or
   * push stores them anew. @returns the images that use each of them
   */
  dropDamaged(
    found: readonly Pick<PlacedChunk, 'sha256' | 'packId' | 'offset'>[],
  ): Promise<ReadonlyMap<string, readonly Digest[]>>;
  markFilesDamaged(digest: Digest): Promise<void>;
  /** The next image by its number; begin with 0. */
  nextImage(after: number): Promise<{ readonly id: number; readonly digest: Digest } | null>;
  /** Of all packs together, dead frames included. */
  packBytes(): Promise<number>;
  totals(): Promise<{ readonly chunks: number; readonly bytes: number }>;
};

import type { Digest } from './digest.ts';
import type { ImageLayer } from './image-layers.ts';

/** How many hosts shall run an image, and how many run it; retired ones count in neither. */
export type HostCount = { readonly assigned: number; readonly running: number };

/** What is shown of images beside what they are served with. */
export type ImageDetailStore = {
  /** As its build recorded them, base first; null: nobody did. */
  layers(digest: Digest): Promise<readonly ImageLayer[] | null>;
  /** Images that no host shall run or runs are not in it. */
  hostCounts(): Promise<ReadonlyMap<Digest, HostCount>>;
  /** Every image with a number that stays its own; another image, another number. */
  numbers(): Promise<ReadonlyMap<number, Digest>>;
  /**
   * @returns for each chunk, in the order asked, the numbers of the images that have it. Among them may be some of what is being
   * written or removed. Others get their turn meanwhile
   */
  users(sha256s: readonly string[]): Promise<readonly (readonly number[])[]>;
};

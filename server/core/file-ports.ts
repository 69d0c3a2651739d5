import type { Digest } from './digest.ts';
import type { ImageIndex } from './image-index.ts';
import type { NewImage, PlacedChunk } from './ports.ts';

/** The files of the store, and of what is on its way into it. */

/** An image that lies synced under temporary names, `id` being the build's or the upload's: not visible before it is committed. */
export type SealedDraft = Omit<NewImage, 'uses' | 'pack'> & {
  readonly id: string;
  readonly packBytes: number;
};

/** An image while it is written: a folder for its files and the pack of its new frames. Nothing of it has a final name before it is published. */
export type ImageDraft = {
  /** For kernel and initrd, which must be synced when it is sealed. */
  readonly folder: string;
  /** Adds a frame to the pack. @returns where it begins there */
  append(frame: Uint8Array): Promise<number>;
  /**
   * Writes the texts beside kernel and initrd and syncs everything, still under temporary names.
   * @returns length of the pack; 0 and no pack when no frame was added
   */
  seal(texts: Readonly<Record<string, string>>): Promise<{ packBytes: number }>;
  /** Removes all of it, whatever was reached. */
  discard(): Promise<void>;
};

/**
 * The files of the store: drafts of images, images and packs. Only the server's own process gives anything its final
 * name, so what a child of a dead server still writes never becomes visible.
 */
export type ImageFiles = {
  /**
   * Gives pack and folder of a sealed draft their final names. A folder that is there is never moved: only those of its
   * files that are damaged are replaced.
   * @returns the index, checked against its digest
   */
  publish(draft: string, digest: Digest): Promise<ImageIndex>;
  /** Removes what is left of a draft; its pack only when it was not committed. */
  discardDraft(draft: string, keepPack?: boolean): Promise<void>;
  /** Removes an image's folder. @returns the bytes it had */
  removeImage(digest: Digest): Promise<number>;
  /** Tells readers to look up anew where chunks lie; comes after every commit that moved or removed any. */
  moved(): void;
  /** Removes a pack that no row knows: now, or where it is being read, when its last reader has ended. */
  removePack(id: string): Promise<void>;
  /** Copies frames into a new, synced pack. @returns its length and where they lie in it */
  copyFrames(
    to: string,
    batches: AsyncIterable<readonly PlacedChunk[]>,
  ): Promise<{ readonly bytes: number; readonly moved: { sha256: string; offset: number }[] }>;
};

/** Reads what is stored, or what lies in a draft, in a process of its own. `what` is for people and names the place. */
export type Checker = {
  chunks(
    chunks: readonly PlacedChunk[],
    draft?: string | null,
  ): Promise<readonly (Pick<PlacedChunk, 'sha256' | 'packId' | 'offset'> & { readonly what: string })[]>;
  /** Index, kernel and initrd. */
  files(
    digest: Digest,
    draft?: string | null,
  ): Promise<readonly { readonly file: string; readonly what: string }[]>;
  close(): void;
};

/** The files of an upload while it comes in; they become the draft that is committed. */
export type UploadFiles = {
  /** Begins a draft with its index. */
  begin(id: string, indexText: string): Promise<UploadDraft>;
};

export type UploadDraft = {
  /** Writes a part of a file. @returns where it ends; null when it would reach beyond `limit` */
  writeFile(
    name: string,
    offset: number,
    limit: number,
    body: AsyncIterable<Uint8Array>,
  ): Promise<number | null>;
  /** Adds a frame to the pack. @returns where it begins there */
  append(frame: Uint8Array): Promise<number>;
  /** Syncs everything. @returns length of the pack; 0 and no pack when there is no frame */
  seal(): Promise<{ readonly packBytes: number }>;
  /** Removes all of it. */
  discard(): Promise<void>;
};

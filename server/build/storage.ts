/** What a build needs of the place where images are kept; given by the room `blobs/`. */
export interface BuildStorage {
  /** Begins an image. @param build id of the build; names its pack */
  draft(build: string): Promise<ImageDraft>;
}

/** An image while it is written. Nothing of it is visible under a final name before it is published. */
export interface ImageDraft {
  /** For kernel and initrd, which must be synced when it is sealed. */
  readonly folder: string;
  /** Adds a frame to the build's pack. @returns where it begins there */
  append(frame: Uint8Array): Promise<number>;
  /**
   * Writes the texts beside kernel and initrd and syncs everything, still under temporary names.
   * @returns length of the pack; 0 and no pack when no frame was added
   */
  seal(texts: Readonly<Record<string, string>>): Promise<{ packBytes: number }>;
  /** Removes all of it, whatever was reached. */
  discard(): Promise<void>;
}

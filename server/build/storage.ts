import type { ImageDraft } from '../core/file-ports.ts';

/** What a build needs of the place where images are kept; given by the room `blobs/`. */
export interface BuildStorage {
  /** Begins an image. @param build id of the build; names its pack */
  draft(build: string): Promise<ImageDraft>;
}

import type { PlacedChunk } from '../core/ports.ts';

/** What the server asks of the process that checks, and what that answers. One question at a time is enough: it reads ahead. */
export type CheckQuestion =
  | { readonly type: 'start'; readonly dataDir: string }
  /** Frames in packs; in the pack of a draft when one is named. */
  | {
      readonly type: 'chunks';
      readonly ask: number;
      readonly chunks: readonly PlacedChunk[];
      readonly draft: string | null;
    }
  /** The files of an image; those of a draft when one is named. */
  | { readonly type: 'files'; readonly ask: number; readonly digest: string; readonly draft: string | null };

export type CheckAnswer =
  | { readonly type: 'chunks'; readonly ask: number; readonly damaged: readonly DamagedChunk[] }
  | { readonly type: 'files'; readonly ask: number; readonly damaged: readonly DamagedFile[] }
  | { readonly type: 'failed'; readonly ask: number; readonly what: string };

export type DamagedChunk = Pick<PlacedChunk, 'sha256' | 'packId' | 'offset'> & { readonly what: string };
export type DamagedFile = { readonly file: string; readonly what: string };

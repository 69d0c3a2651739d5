import type { ChunkPlace } from '../core/ports.ts';
import { DamageError } from './damage.ts';
import { openPacks } from './pack-files.ts';
import { readChunk } from './read-chunk.ts';

export interface Damage {
  readonly sha256: string;
  readonly packId: string;
  /** What was found; names pack and place. */
  readonly what: string;
}

/**
 * Reads every chunk given and tells those that are damaged or missing. Give them in pack order: then it reads forward.
 * @param inDraft they lie in a pack that has not been published yet
 */
export async function* findDamage(
  dataDir: string,
  chunks: Iterable<readonly [sha256: string, place: ChunkPlace]>,
  signal?: AbortSignal,
  inDraft = false,
): AsyncGenerator<Damage> {
  const packs = openPacks(dataDir, inDraft ? '.tmp' : '');
  try {
    for (const [sha256, place] of chunks) {
      signal?.throwIfAborted();
      try {
        await readChunk(packs, sha256, place);
      } catch (error) {
        if (!(error instanceof DamageError)) throw error;
        yield { sha256, packId: place.packId, what: error.message };
      }
    }
  } finally {
    await packs[Symbol.asyncDispose]();
  }
}

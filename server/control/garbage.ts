import type { Digest } from '../core/digest.ts';
import type { ImageFiles } from '../core/file-ports.ts';
import type { NewId, PlacedChunk, Store } from '../core/ports.ts';
import type { IsPinned, PackUse } from '../core/upkeep-port.ts';

/** What a collection removed. */
export type Collected = {
  readonly images: readonly Digest[];
  /** By how much the store's files became smaller, or will as soon as the last reader has ended. */
  readonly freedBytes: number;
};

export type GarbageContext = {
  readonly store: Pick<Store, 'upkeep'>;
  readonly files: ImageFiles;
  readonly newId: NewId;
  readonly isPinned: IsPinned;
  /** Keeps commits away for the time of a task. */
  readonly alone: <Value>(task: () => Promise<Value>) => Promise<Value>;
  /** Ends it between two steps; what is left is found again. */
  readonly signal: AbortSignal;
  readonly onError: (error: unknown) => void;
};

/** Below this share of live bytes a pack is worth writing anew. */
const LIVE_SHARE = 0.5;

/**
 * Removes images without tag that nobody needs, then chunks that no image uses, then packs without a live chunk; packs
 * that are mostly dead are written anew. Rows go before files: a crash in between leaves files that no row knows, and
 * those are swept at start.
 */
export async function collectGarbage(context: GarbageContext): Promise<Collected> {
  const { store, files, isPinned, alone, signal } = context;
  let freedBytes = 0;
  const images = await alone(async () => {
    const gone = await store.upkeep.dropUnneeded(isPinned);
    for (const digest of gone) freedBytes += await files.removeImage(digest);
    return gone;
  });
  while (!signal.aborted && (await store.upkeep.clearUses()));
  let removed = 0;
  for (let at: string | null = null; !signal.aborted; ) {
    const part = await store.upkeep.sweepChunks(at, isPinned);
    removed += part.removedBytes;
    at = part.next;
    if (at === null) break;
  }
  if (removed > 0) files.moved();
  for (let at: string | null = null; !signal.aborted; ) {
    const pack: PackUse | null = await store.upkeep.nextPack(at);
    if (!pack) break;
    at = pack.id;
    freedBytes += await tidyPack(context, pack);
  }
  return { images, freedBytes };
}

/** @returns the bytes that the files became less */
async function tidyPack(context: GarbageContext, { id, bytes, liveBytes }: PackUse): Promise<number> {
  if (liveBytes >= bytes * LIVE_SHARE) return 0;
  if (liveBytes > 0) return rewritePack(context, { id, bytes, liveBytes });
  if (!(await context.store.upkeep.dropPack(id))) return 0;
  context.files.moved();
  await context.files.removePack(id);
  return bytes;
}

/** The new pack is written and synced first, then the rows move in one commit, then the old pack goes. */
async function rewritePack(context: GarbageContext, { id, bytes }: PackUse): Promise<number> {
  const { store, files, newId, onError } = context;
  const to = newId();
  try {
    const copy = await files.copyFrames(to, framesOf(store, id));
    const { hasFrom, hasTo } = await store.upkeep.movePack(id, to, copy.bytes, copy.moved);
    files.moved();
    if (!hasFrom) await files.removePack(id);
    if (!hasTo) await files.removePack(to);
    return (hasFrom ? 0 : bytes) - (hasTo ? copy.bytes : 0);
  } catch (error) {
    // A full disk, or damage that a check will name: the pack stays as it is.
    onError(error);
    return 0;
  }
}

async function* framesOf(
  { upkeep }: Pick<Store, 'upkeep'>,
  packId: string,
): AsyncGenerator<readonly PlacedChunk[]> {
  for (let after = -1; ; ) {
    const batch = await upkeep.packFrames(packId, after);
    const last = batch.at(-1);
    if (!last) return;
    yield batch;
    after = last.offset;
  }
}

import type { Digest } from '../core/digest.ts';
import type { Clock, Store } from '../core/ports.ts';
import type { ImageKeeper } from './image-keeper.ts';

/** Hosts cause a collection no more often: each looks at every chunk that is stored. */
const AT_MOST_EVERY_MS = 60_000;
/** What no host was seen to let go is found after so long. */
const AT_LEAST_EVERY_MS = 24 * 60 * 60_000;

/** Has images collected that hosts let go. */
export type GarbageWatch = {
  /** Notes images that a host needs no longer; others may. */
  letGo(digests: Iterable<Digest>): void;
  /** Begins a collection when it is time and there is something to collect. Does not wait for its end. */
  look(): Promise<void>;
};

export function garbageWatch({
  store,
  keeper,
  clock,
  onError,
}: {
  readonly store: Pick<Store, 'image' | 'upkeep'>;
  readonly keeper: Pick<ImageKeeper, 'collect'>;
  readonly clock: Clock;
  /** Told of a collection that failed. */
  readonly onError: (error: unknown) => void;
}): GarbageWatch {
  const suspects = new Set<Digest>();
  let lastAt = clock();

  /** Most images that hosts let go have a tag or another host. */
  async function isGarbage(digest: Digest): Promise<boolean> {
    const image = await store.image({ kind: 'digest', digest });
    return image?.tags.length === 0 && (await store.upkeep.needs(digest)).length === 0;
  }

  async function foundGarbage(): Promise<boolean> {
    for (const digest of suspects) {
      suspects.delete(digest);
      if (await isGarbage(digest)) return true;
    }
    return false;
  }

  return {
    letGo(digests) {
      for (const digest of digests) suspects.add(digest);
    },
    async look() {
      const sinceMs = clock() - lastAt;
      if (sinceMs < AT_MOST_EVERY_MS) return;
      if (sinceMs < AT_LEAST_EVERY_MS && !(await foundGarbage())) return;
      lastAt = clock();
      keeper.collect().catch(onError);
    },
  };
}

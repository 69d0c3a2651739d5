import type { Digest } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';
import type { Checker, ImageFiles } from '../core/file-ports.ts';
import type { Store } from '../core/ports.ts';
import type { StoreCheckResult, StoreUseCases } from '../core/use-cases.ts';

export type CheckContext = {
  readonly store: Pick<Store, 'upkeep' | 'change' | 'image'>;
  readonly files: Pick<ImageFiles, 'moved'>;
  readonly startChecker: () => Checker;
};

/**
 * Reads every chunk and every file that is stored. What is damaged loses its row, so the next build, import or push
 * that has it stores it anew, and the images that use it are known to be damaged until then.
 */
export function storeCheck({ store, files, startChecker }: CheckContext): StoreUseCases['check'] {
  let isRunning = false;
  return async (onProgress, signal) => {
    if (isRunning)
      throw new WarmbootError('conflict', 'A check of the store runs already. Wait until it has ended.');
    isRunning = true;
    const checker = startChecker();
    const stop = () => checker.close();
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await check(checker);
    } finally {
      signal.removeEventListener('abort', stop);
      checker.close();
      isRunning = false;
    }

    async function check(process: Checker): Promise<StoreCheckResult> {
      const { upkeep } = store;
      const total = await upkeep.totals();
      const damage: { what: string; images: readonly Digest[] }[] = [];
      let [images, chunks, bytes] = [0, 0, 0];
      for (let image = await upkeep.nextImage(0); image; image = await upkeep.nextImage(image.id)) {
        signal.throwIfAborted();
        const { digest } = image;
        const found = await process.files(digest);
        // Removed while it was read, it is not damaged.
        if (found.length > 0 && (await store.image({ kind: 'digest', digest }))) {
          await upkeep.markFilesDamaged(digest);
          damage.push(...found.map(({ what }) => ({ what, images: [digest] })));
        }
        images += 1;
      }
      for (let pack = await upkeep.nextPack(null); pack; pack = await upkeep.nextPack(pack.id)) {
        for (let after = -1; ; ) {
          signal.throwIfAborted();
          const batch = await upkeep.packFrames(pack.id, after);
          const last = batch.at(-1);
          if (!last) break;
          after = last.offset;
          const found = await process.chunks(batch);
          const dropped = await upkeep.dropDamaged(found);
          if (dropped.size > 0) files.moved();
          for (const { sha256, what } of found) {
            const users = dropped.get(sha256);
            if (users) damage.push({ what, images: users });
          }
          chunks += batch.length;
          bytes += batch.reduce((sum, chunk) => sum + chunk.bytes, 0);
          onProgress({ chunks, bytesDone: Math.min(bytes, total.bytes), bytesTotal: total.bytes });
        }
      }
      const affected = [...new Set(damage.flatMap((each) => each.images))].sort();
      if (damage.length > 0) await tell(damage.length, affected);
      return { images, chunks, bytes, damage, affected };
    }

    async function tell(count: number, affected: readonly Digest[]): Promise<void> {
      const event = {
        kind: 'image-damaged',
        hostId: null,
        attempt: null,
        actor: 'server',
        by: null,
        reason: `${count} damaged pieces found by a check`,
        data: { images: affected },
      } as const;
      await store.change({}, () => ({ answer: undefined, events: [event] }));
    }
  };
}

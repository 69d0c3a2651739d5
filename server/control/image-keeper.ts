import type { BuildRecord } from '../core/build-ports.ts';
import type { NewEvent } from '../core/events.ts';
import type { ImageFiles, SealedDraft } from '../core/file-ports.ts';
import type { ImageIndex } from '../core/image-index.ts';
import { requireInstallerKind } from '../core/installer.ts';
import { oneAtATime } from '../core/one-at-a-time.ts';
import type { NewId, NewImage, Store } from '../core/ports.ts';
import { type Collected, collectGarbage } from './garbage.ts';
import { imageLeases, type Lease } from './image-leases.ts';

/** Who alone lets images come and go: files and rows change together, and nothing goes that somebody counts on. */
export type ImageKeeper = {
  lease(): Lease;
  /**
   * Makes a draft an image, with all that is told in the same transaction. When it fails nothing of the draft remains.
   * @throws WarmbootError when a chunk it counts on is not there, or an OS would get the installer's tag
   */
  commit(
    draft: SealedDraft,
    tag: { readonly name: string; readonly tag: string },
    events: readonly NewEvent[],
    build?: BuildRecord,
  ): Promise<void>;
  /** Removes what nobody needs; calls that come while it runs share the next run. */
  collect(): Promise<Collected>;
  /** Ends a collection at its next step and waits for it. */
  stop(): Promise<void>;
};

export type KeeperContext = {
  readonly store: Pick<Store, 'commitImage' | 'image' | 'packIds' | 'upkeep'>;
  readonly files: ImageFiles;
  readonly newId: NewId;
  /** Told of what went wrong where nobody waits for it. */
  readonly onError: (error: unknown) => void;
};

export function imageKeeper(context: KeeperContext): ImageKeeper {
  const { store, files, onError } = context;
  const stopping = new AbortController();
  // A folder must not be published while another of its name is removed.
  const alone = oneAtATime();
  const collecting = oneAtATime();
  let passedOver = false;
  let next: Promise<Collected> | null = null;

  const { lease, isPinned } = imageLeases(() => {
    if (passedOver) collect().catch(onError);
  });

  function collect(): Promise<Collected> {
    next ??= collecting(() => {
      next = null;
      passedOver = false;
      return collectGarbage({
        ...context,
        alone,
        signal: stopping.signal,
        isPinned: (name) => {
          const pinned = isPinned(name);
          passedOver ||= pinned;
          return pinned;
        },
      });
    });
    return next;
  }

  return {
    lease,
    collect,
    async commit(draft, { name, tag }, events, build) {
      const mine = lease();
      const commit = await alone(async () => {
        try {
          requireInstallerKind({ name, tag }, draft.kind);
          const image = newImage(draft, await files.publish(draft.id, draft.digest));
          // Rows of its chunks come before the image that uses them.
          mine.pin([draft.digest, ...image.uses.map(({ sha256 }) => sha256)]);
          return await store.commitImage(image, { name, tag }, events, build);
        } catch (error) {
          await undo(draft);
          throw error;
        }
      }).finally(mine.release);
      if (!commit.packUsed) await files.removePack(draft.id).catch(onError);
      if (commit.untagged) collect().catch(onError);
    },
    async stop() {
      stopping.abort();
      await collecting(async () => {});
    },
  };

  /** Rows decide what goes: some may have been written, and of a transaction that failed the outcome may not be known. */
  async function undo({ id, digest }: SealedDraft): Promise<void> {
    passedOver = true;
    await files.discardDraft(id, (await store.packIds()).includes(id));
    if (!(await store.image({ kind: 'digest', digest }))) await files.removeImage(digest);
  }
}

function newImage({ id, packBytes, ...image }: SealedDraft, index: ImageIndex): NewImage {
  const uses = new Map(index.chunks.map(({ sha256, bytes }) => [sha256, bytes]));
  return {
    ...image,
    pack: packBytes > 0 ? { id, bytes: packBytes } : null,
    uses: [...uses].map(([sha256, rawBytes]) => ({ sha256, rawBytes })),
  };
}

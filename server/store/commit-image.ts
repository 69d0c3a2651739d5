import type { BuildRecord } from '../core/build-ports.ts';
import type { NewEvent } from '../core/events.ts';
import type { ImageCommit, NewImage } from '../core/ports.ts';
import type { CommitGroup } from './commit-group.ts';
import type { imageRows } from './image-rows.ts';

/** Rows of one transaction: some 50 ms of the event loop. An image of 10 GiB has 160,000 chunks. */
const BATCH = 1_000;

/**
 * Stores an image in short transactions, of which the last makes it visible. What a crash or a refusal leaves of the
 * others is used by nobody, and the next collection clears it.
 */
export function imageCommits(
  group: CommitGroup,
  images: ReturnType<typeof imageRows>,
  write: { build(build: BuildRecord): void; event(event: NewEvent): void },
) {
  const writing = new Set<number>();
  /** Their chunks come in parts: until the last of them a collection would take them for dead. */
  const writingPacks = new Set<string>();

  async function commit(
    image: NewImage,
    tag: { readonly name: string; readonly tag: string },
    events: readonly NewEvent[],
    build?: BuildRecord,
  ): Promise<ImageCommit> {
    const { pack, chunks, uses, digest } = image;
    let set: number | null = null;
    try {
      if (pack) {
        writingPacks.add(pack.id);
        await group.run(() => images.beginPack(pack));
        for (const part of parts(chunks)) await group.run(() => images.putChunks(pack.id, part));
      }
      set = images.exists(digest) ? null : await beginSet();
      const begun = set;
      if (begun !== null)
        for (const part of parts(uses)) await group.run(() => images.putUses(begun, digest, part));
      return await group.run(() => {
        const untagged = images.finish(image, begun, tag);
        const packUsed = pack === null || !images.dropPack(pack.id);
        if (build) write.build(build);
        for (const event of events) write.event(event);
        return { packUsed, untagged };
      });
    } finally {
      if (set !== null) writing.delete(set);
      if (pack) writingPacks.delete(pack.id);
    }
  }

  function beginSet(): Promise<number> {
    return group.run(() => {
      const set = images.beginSet();
      writing.add(set);
      return set;
    });
  }

  return {
    commit,
    /** Sets and packs that are being written now. */
    isWriting: (set: number) => writing.has(set),
    isWritingPack: (id: string) => writingPacks.has(id),
  };
}

/** In the order of the keys: a transaction then touches few pages, and writes few. */
function* parts<Row extends { readonly sha256: string }>(rows: readonly Row[]): Generator<readonly Row[]> {
  const sorted = [...rows].sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
  for (let at = 0; at < sorted.length; at += BATCH) yield sorted.slice(at, at + BATCH);
}

import type { Digest } from '../core/digest.ts';
import type { NewEvent } from '../core/events.ts';
import type { PlacedChunk } from '../core/ports.ts';
import type { PackUse, StoreUpkeep } from '../core/upkeep-port.ts';
import type { CommitGroup } from './commit-group.ts';
import type { Db } from './database.ts';
import { imageNeeds } from './image-needs.ts';

/** Rows that one transaction of a sweep looks at or removes: some milliseconds of the event loop. */
const BATCH = 1_000;
const BEFORE_FIRST = Buffer.alloc(0);

type ChunkRow = { readonly sha256: Buffer; readonly bytes: number };

/** What garbage collection and checks do to the rows. Every step is a transaction of its own and may be the last one. */
export function upkeepRows(
  db: Db,
  group: CommitGroup,
  {
    addEvent,
    isWriting,
    isWritingPack,
  }: { addEvent(event: NewEvent): void; isWriting(set: number): boolean; isWritingPack(id: string): boolean },
): StoreUpkeep {
  const needs = imageNeeds(db);
  const dropImage = db.prepare('DELETE FROM images WHERE digest = ?');
  const digestOf = db.prepare('SELECT digest FROM tags WHERE name = ? AND tag = ?').pluck();
  const dropTag = db.prepare('DELETE FROM tags WHERE name = ? AND tag = ?');
  const dropTags = db.prepare('DELETE FROM tags WHERE digest = ?');
  const tagCount = db.prepare('SELECT count(*) FROM tags WHERE digest = ?').pluck();
  const exists = db.prepare('SELECT 1 FROM images WHERE digest = ?').pluck();

  const looseSets = db
    .prepare('SELECT id FROM chunk_sets WHERE id NOT IN (SELECT chunk_set FROM images) ORDER BY id')
    .pluck();
  const clearUses = db.prepare(`
    DELETE FROM set_chunks WHERE set_id = :id AND sha256 IN
      (SELECT sha256 FROM set_chunks WHERE set_id = :id LIMIT ${BATCH})`);
  const dropSet = db.prepare('DELETE FROM chunk_sets WHERE id = ?');
  const chunkRange = db.prepare(`
    SELECT sha256, bytes, EXISTS (SELECT 1 FROM set_chunks WHERE set_chunks.sha256 = chunks.sha256) AS isUsed
    FROM chunks WHERE sha256 > ? ORDER BY sha256 LIMIT ${BATCH}`);
  const dropChunk = db.prepare('DELETE FROM chunks WHERE sha256 = ?');

  const packs = db.prepare(`
    SELECT id, bytes, (SELECT coalesce(sum(bytes), 0) FROM chunks WHERE pack_id = packs.id) AS liveBytes
    FROM packs WHERE id > ? ORDER BY id LIMIT 1`);
  const framesOf = db.prepare(
    `SELECT lower(hex(sha256)) AS sha256, pack_id AS packId, offset, bytes, raw_bytes AS rawBytes FROM chunks
     WHERE pack_id = ? AND offset > ? ORDER BY offset LIMIT ${BATCH}`,
  );
  const putPack = db.prepare('INSERT INTO packs VALUES (?, ?, (SELECT created_at FROM packs WHERE id = ?))');
  const moveChunk = db.prepare(
    'UPDATE chunks SET pack_id = :to, offset = :offset WHERE sha256 = :sha256 AND pack_id = :from',
  );
  const dropPack = db.prepare(
    'DELETE FROM packs WHERE id = :id AND NOT EXISTS (SELECT 1 FROM chunks WHERE pack_id = :id)',
  );

  const dropDamaged = db.prepare(
    'DELETE FROM chunks WHERE sha256 = :sha256 AND pack_id = :packId AND offset = :offset RETURNING bytes',
  );
  const markUsers = db.prepare(`
    UPDATE chunk_sets SET missing_chunks = missing_chunks + 1, data_bytes = data_bytes - :bytes
    WHERE id IN (SELECT set_id FROM set_chunks WHERE sha256 = :sha256)`);
  const usersOf = db
    .prepare(
      `SELECT digest FROM images JOIN set_chunks ON set_id = chunk_set WHERE sha256 = ? ORDER BY digest`,
    )
    .pluck();
  const markFiles = db.prepare('UPDATE images SET files_damaged = 1 WHERE digest = ?');
  const afterId = db.prepare(
    'SELECT chunk_set AS id, digest FROM images WHERE chunk_set > ? ORDER BY chunk_set LIMIT 1',
  );
  const packBytes = db.prepare('SELECT coalesce(sum(bytes), 0) FROM packs').pluck();
  const totals = db.prepare('SELECT count(*) AS chunks, coalesce(sum(bytes), 0) AS bytes FROM chunks');

  return {
    needs: async (digest) => needs.of(digest),

    removeTags: (ref, decide) =>
      group.run(() => {
        const digest =
          ref.kind === 'digest' ? ref.digest : (digestOf.get(ref.name, ref.tag) as Digest | undefined);
        if (digest === undefined || exists.get(digest) === undefined) return null;
        const left = ref.kind === 'digest' ? 0 : (tagCount.get(digest) as number) - 1;
        const events = decide({ digest, tagsLeft: left, needs: needs.of(digest) });
        const dropped = ref.kind === 'digest' ? dropTags.run(digest) : dropTag.run(ref.name, ref.tag);
        for (const event of events) addEvent(event);
        return { digest, tagsRemoved: dropped.changes };
      }),

    dropUnneeded: (isPinned) =>
      group.run(() => {
        const gone = needs.unneeded().filter((digest) => !isPinned(digest));
        for (const digest of gone) dropImage.run(digest);
        return gone;
      }),

    clearUses: () =>
      group.run(() => {
        const id = (looseSets.all() as number[]).find((set) => !isWriting(set));
        if (id === undefined) return false;
        if (clearUses.run({ id }).changes < BATCH) dropSet.run(id);
        return true;
      }),

    sweepChunks: (after, isPinned) =>
      group.run(() => {
        const rows = chunkRange.all(
          after === null ? BEFORE_FIRST : Buffer.from(after, 'hex'),
        ) as (ChunkRow & {
          readonly isUsed: 0 | 1;
        })[];
        let removedBytes = 0;
        for (const { sha256, bytes, isUsed } of rows) {
          if (isUsed === 1 || isPinned(sha256.toString('hex'))) continue;
          dropChunk.run(sha256);
          removedBytes += bytes;
        }
        const last = rows.length < BATCH ? null : (rows.at(-1)?.sha256.toString('hex') ?? null);
        return { next: last, removedBytes };
      }),

    async nextPack(after) {
      for (let at = after ?? ''; ; ) {
        const pack = packs.get(at) as PackUse | undefined;
        if (!pack || !isWritingPack(pack.id)) return pack ?? null;
        at = pack.id;
      }
    },

    packFrames: async (packId, afterOffset) => framesOf.all(packId, afterOffset) as PlacedChunk[],

    // Each part leaves every chunk where it can be read: both packs are there until the end.
    movePack: async (from, to, bytes, moved) => {
      await group.run(() => putPack.run(to, bytes, from));
      for (let at = 0; at < moved.length; at += BATCH)
        await group.run(() => {
          for (const { sha256, offset } of moved.slice(at, at + BATCH))
            moveChunk.run({ sha256: Buffer.from(sha256, 'hex'), offset, from, to });
        });
      return group.run(() => {
        const [droppedFrom, droppedTo] = [dropPack.run({ id: from }), dropPack.run({ id: to })];
        return { hasFrom: droppedFrom.changes === 0, hasTo: droppedTo.changes === 0 };
      });
    },

    dropPack: (id) => group.run(() => dropPack.run({ id }).changes > 0),

    dropDamaged: (found) =>
      group.run(() => {
        const affected = new Map<string, Digest[]>();
        for (const { sha256, packId, offset } of found) {
          const key = Buffer.from(sha256, 'hex');
          // Only where it was found: a repack or a new build may have put it elsewhere since.
          const row = dropDamaged.get({ sha256: key, packId, offset }) as { bytes: number } | undefined;
          if (!row) continue;
          markUsers.run({ sha256: key, bytes: row.bytes });
          affected.set(sha256, usersOf.all(key) as Digest[]);
        }
        return affected;
      }),

    markFilesDamaged: (digest) => group.run(() => void markFiles.run(digest)),

    nextImage: async (afterImage) =>
      (afterId.get(afterImage) as { id: number; digest: Digest } | undefined) ?? null,

    packBytes: async () => packBytes.get() as number,

    totals: async () => totals.get() as { chunks: number; bytes: number },
  };
}

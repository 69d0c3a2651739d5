import type { Digest, ImageRef } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';
import type { ChunkPlace, NewImage, StoredImage } from '../core/ports.ts';
import type { Db } from './database.ts';

type ImageRow = Omit<StoredImage, 'tags' | 'filesDamaged'> & { readonly filesDamaged: 0 | 1 };

/** Images, their tags, and where their chunks lie. */
export function imageRows(db: Db, now: () => number) {
  const byDigest = db.prepare(`
    SELECT digest, kind, created_at AS createdAt, data_bytes AS dataBytes, missing_chunks AS missingChunks,
      files_damaged AS filesDamaged FROM images JOIN chunk_sets ON chunk_sets.id = chunk_set WHERE digest = ?`);
  const setOf = db.prepare(`
    SELECT chunk_sets.id, missing_chunks AS missing FROM images JOIN chunk_sets ON chunk_sets.id = chunk_set
    WHERE digest = ?`);
  const digestOf = db.prepare('SELECT digest FROM tags WHERE name = ? AND tag = ?').pluck();
  const tagsOf = db.prepare(
    'SELECT name, tag, updated_at AS updatedAt FROM tags WHERE digest = ? ORDER BY name, tag',
  );
  const digests = db.prepare('SELECT digest FROM images ORDER BY created_at, digest').pluck();
  const putImage = db.prepare(
    'INSERT INTO images (digest, kind, created_at, chunk_set, files_damaged) VALUES (?, ?, ?, ?, 0)',
  );
  const putLayers = db.prepare('UPDATE images SET layers = ? WHERE digest = ?');
  const filesMended = db.prepare('UPDATE images SET files_damaged = 0 WHERE digest = ?');
  const putSet = db.prepare('INSERT INTO chunk_sets VALUES (NULL, 0, 0)');
  const setState = db.prepare('SELECT missing_chunks FROM chunk_sets WHERE id = ?').pluck();
  const putUse = db.prepare('INSERT INTO set_chunks VALUES (?, ?)');
  const addData = db.prepare('UPDATE chunk_sets SET data_bytes = data_bytes + ? WHERE id = ?');
  const putTag = db.prepare(
    'INSERT INTO tags VALUES (?, ?, ?, ?) ON CONFLICT (name, tag) DO UPDATE SET digest = excluded.digest, updated_at = excluded.updated_at',
  );
  const putPack = db.prepare('INSERT INTO packs VALUES (?, ?, ?)');
  const dropPack = db.prepare(
    'DELETE FROM packs WHERE id = :id AND NOT EXISTS (SELECT 1 FROM chunks WHERE pack_id = :id)',
  );
  // Two builds may have packed the same chunk: the first place stays, and every image's frames follow from it.
  const putChunk = db.prepare('INSERT OR IGNORE INTO chunks VALUES (?, ?, ?, ?, ?)');
  const mendUsers = db.prepare(`
    UPDATE chunk_sets SET missing_chunks = missing_chunks - 1, data_bytes = data_bytes + :bytes
    WHERE id IN (SELECT set_id FROM set_chunks WHERE sha256 = :sha256)`);
  const chunk = db.prepare(
    'SELECT pack_id AS packId, offset, bytes, raw_bytes AS rawBytes FROM chunks WHERE sha256 = ?',
  );
  const packIds = db.prepare('SELECT id FROM packs ORDER BY id').pluck();

  function image(ref: ImageRef): StoredImage | null {
    const digest =
      ref.kind === 'digest' ? ref.digest : ((digestOf.get(ref.name, ref.tag) as Digest | undefined) ?? null);
    const row = digest === null ? undefined : (byDigest.get(digest) as ImageRow | undefined);
    if (!row) return null;
    return {
      ...row,
      filesDamaged: row.filesDamaged === 1,
      tags: tagsOf.all(row.digest) as StoredImage['tags'],
    };
  }

  function places(sha256s: readonly string[]): Map<string, ChunkPlace> {
    const found = new Map<string, ChunkPlace>();
    for (const sha256 of sha256s) {
      const place = chunk.get(Buffer.from(sha256, 'hex')) as ChunkPlace | undefined;
      if (place) found.set(sha256, place);
    }
    return found;
  }

  return {
    image,
    all: (): StoredImage[] =>
      (digests.all() as Digest[]).flatMap((digest) => image({ kind: 'digest', digest }) ?? []),
    places,
    packIds: (): string[] => packIds.all() as string[],

    /* A commit in steps, each a short transaction. Before the last one nothing of the image is visible. */

    beginPack({ id, bytes }: { readonly id: string; readonly bytes: number }): void {
      putPack.run(id, bytes, now());
    },
    /** Chunks that have no row get one. */
    putChunks(packId: string, chunks: NewImage['chunks']): void {
      for (const { sha256, offset, bytes, rawBytes } of chunks) {
        const key = Buffer.from(sha256, 'hex');
        if (putChunk.run(key, packId, offset, bytes, rawBytes).changes === 0) continue;
        // Images that use it and exist already were damaged: this is their chunk brought back.
        mendUsers.run({ sha256: key, bytes });
      }
    },
    /** @returns whether it is gone, for no chunk of it won */
    dropPack: (id: string): boolean => dropPack.run({ id }).changes > 0,
    exists: (digest: Digest): boolean => setOf.get(digest) !== undefined,
    beginSet: (): number => Number(putSet.run().lastInsertRowid),
    /** @throws WarmbootError when a chunk has no row, or a row of another length */
    putUses(set: number, digest: Digest, uses: NewImage['uses']): void {
      let dataBytes = 0;
      for (const { sha256, rawBytes } of uses) {
        const key = Buffer.from(sha256, 'hex');
        const place = chunk.get(key) as ChunkPlace | undefined;
        if (!place) throw missing(digest, sha256);
        if (place.rawBytes !== rawBytes)
          throw new WarmbootError(
            'invalid',
            `The image ${digest} is refused: its index gives chunk ${sha256} ${rawBytes} bytes, it has ${place.rawBytes}.`,
          );
        putUse.run(set, key);
        dataBytes += place.bytes;
      }
      addData.run(dataBytes, set);
    },
    /** Makes it visible. @param set null where the image existed when the commit began */
    finish(
      { digest, kind, layers = null }: NewImage,
      set: number | null,
      { name, tag }: { readonly name: string; readonly tag: string },
    ): Digest | null {
      const known = setOf.get(digest) as { id: number; missing: number } | undefined;
      if (!known && set === null) throw missing(digest, 'list');
      if ((known ? known.missing : setState.get(set)) !== 0) throw missing(digest, 'of a damaged pack');
      if (known) filesMended.run(digest);
      else putImage.run(digest, kind, now(), set);
      // The same bytes may come of another Dockerfile; who brings them as a file does not know.
      if (layers !== null) putLayers.run(JSON.stringify(layers), digest);
      const before = digestOf.get(name, tag) as Digest | undefined;
      putTag.run(name, tag, digest, now());
      return before === undefined || before === digest ? null : before;
    },
  };
}

function missing(digest: Digest, sha256: string): WarmbootError {
  return new WarmbootError(
    'conflict',
    `The image ${digest} cannot be stored: its chunk ${sha256} is not in the store any more. Build or send it again.`,
  );
}

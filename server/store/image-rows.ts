import type { Digest, ImageRef } from '../core/digest.ts';
import type { ChunkPlace, NewImage, StoredImage } from '../core/ports.ts';
import type { Db } from './database.ts';

/** Images, their tags, and where their chunks lie. */
export function imageRows(db: Db, now: () => number) {
  const byDigest = db.prepare(
    'SELECT digest, kind, created_at AS createdAt, data_bytes AS dataBytes, frames_hash AS framesHash FROM images WHERE digest = ?',
  );
  const digestOf = db.prepare('SELECT digest FROM tags WHERE name = ? AND tag = ?').pluck();
  const tagsOf = db.prepare(
    'SELECT name, tag, updated_at AS updatedAt FROM tags WHERE digest = ? ORDER BY name, tag',
  );
  const digests = db.prepare('SELECT digest FROM images ORDER BY created_at, digest').pluck();
  const putImage = db.prepare('INSERT OR IGNORE INTO images VALUES (?, ?, ?, ?, ?)');
  const putTag = db.prepare(
    'INSERT INTO tags VALUES (?, ?, ?, ?) ON CONFLICT (name, tag) DO UPDATE SET digest = excluded.digest, updated_at = excluded.updated_at',
  );
  const putPack = db.prepare('INSERT INTO packs VALUES (?, ?, ?)');
  // Two builds may have packed the same chunk: the first place stays.
  const putChunk = db.prepare('INSERT OR IGNORE INTO chunks VALUES (?, ?, ?, ?, ?)');
  const chunk = db.prepare(
    'SELECT pack_id AS packId, offset, bytes, raw_bytes AS rawBytes FROM chunks WHERE sha256 = ?',
  );
  const packIds = db.prepare('SELECT id FROM packs ORDER BY id').pluck();

  function image(ref: ImageRef): StoredImage | null {
    const digest =
      ref.kind === 'digest' ? ref.digest : ((digestOf.get(ref.name, ref.tag) as Digest | undefined) ?? null);
    const row = digest === null ? undefined : (byDigest.get(digest) as Omit<StoredImage, 'tags'> | undefined);
    return row ? { ...row, tags: tagsOf.all(row.digest) as StoredImage['tags'] } : null;
  }

  return {
    image,
    all: (): StoredImage[] =>
      (digests.all() as Digest[]).flatMap((digest) => image({ kind: 'digest', digest }) ?? []),
    commit(stored: NewImage, { name, tag }: { name: string; tag: string }): void {
      if (stored.pack) putPack.run(stored.pack.id, stored.pack.bytes, now());
      for (const { sha256, offset, bytes, rawBytes } of stored.chunks)
        putChunk.run(Buffer.from(sha256, 'hex'), stored.pack?.id, offset, bytes, rawBytes);
      putImage.run(stored.digest, stored.kind, now(), stored.dataBytes, stored.framesHash);
      putTag.run(name, tag, stored.digest, now());
    },
    places(sha256s: readonly string[]): Map<string, ChunkPlace> {
      const found = new Map<string, ChunkPlace>();
      for (const sha256 of sha256s) {
        const place = chunk.get(Buffer.from(sha256, 'hex')) as ChunkPlace | undefined;
        if (place) found.set(sha256, place);
      }
      return found;
    },
    packIds: (): string[] => packIds.all() as string[],
  };
}

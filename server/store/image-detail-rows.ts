import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Digest } from '../core/digest.ts';
import type { HostCount, ImageDetailStore } from '../core/image-details-port.ts';
import type { Db } from './database.ts';

/** Chunks that are looked up before others get their turn: each may be in every image. */
const LOOKUP = 250;

export function imageDetailRows(db: Db): ImageDetailStore {
  const layers = db.prepare('SELECT layers FROM images WHERE digest = ?').pluck();
  const assigned = db.prepare(`
    SELECT assignment_digest AS digest, count(*) AS hosts FROM hosts
    WHERE assignment_digest IS NOT NULL AND status <> 'retired' GROUP BY assignment_digest`);
  const running = db.prepare(`
    SELECT observations.digest, count(*) AS hosts FROM observations JOIN hosts ON hosts.id = host_id
    WHERE observations.digest IS NOT NULL AND status <> 'retired' GROUP BY observations.digest`);
  const numbers = db.prepare('SELECT chunk_set AS number, digest FROM images ORDER BY chunk_set');
  const usersOf = db.prepare('SELECT set_id FROM set_chunks WHERE sha256 = ?').pluck();
  type Count = { readonly digest: Digest; readonly hosts: number };

  return {
    async layers(digest) {
      const text = layers.get(digest) as string | null | undefined;
      return text == null ? null : JSON.parse(text);
    },
    async hostCounts() {
      const counts = new Map<Digest, HostCount>();
      for (const { digest, hosts } of assigned.all() as Count[])
        counts.set(digest, { assigned: hosts, running: 0 });
      for (const { digest, hosts } of running.all() as Count[])
        counts.set(digest, { assigned: counts.get(digest)?.assigned ?? 0, running: hosts });
      return counts;
    },
    async numbers() {
      const rows = numbers.all() as { number: number; digest: Digest }[];
      return new Map(rows.map(({ number, digest }) => [number, digest]));
    },
    async users(sha256s) {
      const found: number[][] = [];
      for (const [at, sha256] of sha256s.entries()) {
        if (at % LOOKUP === LOOKUP - 1) await nextTurn();
        found.push(usersOf.all(Buffer.from(sha256, 'hex')) as number[]);
      }
      return found;
    },
  };
}

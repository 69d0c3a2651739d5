import type { Digest } from '../core/digest.ts';
import type { ImageNeed } from '../core/upkeep-port.ts';
import type { Db } from './database.ts';

/**
 * Who needs which image: what hosts shall run, are being brought to, run, and hold in a slot, and what open rollouts are
 * for or could be rolled back to. A slot that is written in part holds nothing, and a host that is retired or was removed needs nothing.
 */
export function imageNeeds(db: Db) {
  const held = `
    SELECT assignment_digest AS digest, id AS host_id, 'assigned' AS why FROM hosts WHERE assignment_digest IS NOT NULL
    UNION ALL SELECT digest, host_id, 'attempt' FROM attempts WHERE outcome IS NULL
    UNION ALL SELECT digest, host_id, 'runs' FROM observations WHERE digest IS NOT NULL
    UNION ALL SELECT coalesce(m.digest, r.digest), m.host_id, 'rollout' FROM rollouts AS r
      JOIN rollout_members AS m ON m.rollout_id = r.id WHERE r.ended_at IS NULL
    UNION ALL SELECT m.before_digest, m.host_id, 'rollback' FROM rollouts AS r
      JOIN rollout_members AS m ON m.rollout_id = r.id WHERE r.ended_at IS NULL AND m.before_digest IS NOT NULL
    UNION ALL SELECT slot.value ->> '$.digest', host_id, 'slot' FROM observations, json_each(observations.slots) AS slot
      WHERE slot.value ->> '$.state' IN ('valid', 'modified') AND slot.value ->> '$.digest' IS NOT NULL`;
  // Members stay in their rollout when their host is removed.
  const all = `SELECT * FROM (${held}) WHERE host_id IN (SELECT id FROM hosts WHERE status <> 'retired')`;
  const of = db.prepare(`
    SELECT coalesce((SELECT mac FROM host_macs WHERE host_id = need.host_id AND position = 0), need.host_id) AS mac, why
    FROM (${all}) AS need WHERE digest = ? ORDER BY mac, why`);
  const unneeded = db
    .prepare(`
    SELECT digest FROM images
    WHERE digest NOT IN (SELECT digest FROM tags) AND digest NOT IN (SELECT digest FROM (${all}))
    ORDER BY chunk_set`)
    .pluck();
  return {
    of: (digest: string): ImageNeed[] => of.all(digest) as ImageNeed[],
    unneeded: () => unneeded.all() as Digest[],
  };
}

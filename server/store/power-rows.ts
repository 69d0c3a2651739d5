import type { PowerLookups } from '../core/power-port.ts';
import type { Db } from './database.ts';

export function powerRows(db: Db): PowerLookups {
  const by = (power: 'queued' | 'begun') =>
    db
      .prepare(
        `SELECT host_id FROM attempts WHERE power = '${power}' AND outcome IS NULL ORDER BY deadline, host_id LIMIT ?`,
      )
      .pluck();
  const queued = by('queued');
  const begun = by('begun');
  return {
    queued: async (limit) => queued.all(limit) as string[],
    begun: async () => begun.all(-1) as string[],
  };
}

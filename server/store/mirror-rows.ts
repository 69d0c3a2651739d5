import type { NewEvent } from '../core/events.ts';
import { type MirrorEdition, NO_MIRRORS } from '../core/mirrors.ts';
import type { MirrorStore } from '../core/mirrors-port.ts';
import type { CommitGroup } from './commit-group.ts';
import type { Db } from './database.ts';

export function mirrorRows(db: Db, group: CommitGroup, addEvent: (event: NewEvent) => void): MirrorStore {
  const get = db.prepare('SELECT version, mirrors FROM mirrors');
  const put = db.prepare(`
    INSERT INTO mirrors VALUES (1, 1, :mirrors)
    ON CONFLICT (id) DO UPDATE SET version = version + 1, mirrors = :mirrors`);

  function edition(): MirrorEdition {
    const row = get.get() as { version: number; mirrors: string } | undefined;
    return row ? { version: row.version, mirrors: JSON.parse(row.mirrors) } : NO_MIRRORS;
  }

  return {
    edition: async () => edition(),
    set: (mirrors, expected, told) =>
      group.run(() => {
        if (edition().version !== expected) return null;
        put.run({ mirrors: JSON.stringify(mirrors) });
        addEvent(told);
        return edition();
      }),
  };
}

import type { Profile } from '../core/profile.ts';
import type { Db } from './database.ts';

type Row = Record<string, string | number | null>;

/** Profiles, and which hosts have them. */
export function profileRows(db: Db) {
  const get = db.prepare('SELECT * FROM profiles WHERE name = ?');
  const all = db.prepare('SELECT * FROM profiles ORDER BY name');
  const put = db.prepare(`
    INSERT INTO profiles VALUES (:name, :layout, :diskRule, :append, :switchMode, :trialSeconds, :rateBytes, :revision, :createdAt, :readBack)
    ON CONFLICT (name) DO UPDATE SET layout = :layout, disk_rule = :diskRule, append = :append, switch_mode = :switchMode,
      trial_seconds = :trialSeconds, rate_bytes = :rateBytes, read_back = :readBack, revision = :revision`);
  const remove = db.prepare('DELETE FROM profiles WHERE name = ?');
  const users = db.prepare('SELECT id FROM hosts WHERE profile = ? ORDER BY created_at, id').pluck();
  return {
    get: (name: string): Profile | null => {
      const row = get.get(name) as Row | undefined;
      return row ? profileOf(row) : null;
    },
    all: (): Profile[] => (all.all() as Row[]).map(profileOf),
    put: ({ settings, ...profile }: Profile): void => {
      const { readBack = null, ...said } = settings;
      put.run({ ...NOTHING, ...said, ...profile, readBack: readBack === null ? null : Number(readBack) });
    },
    remove: (name: string): void => void remove.run(name),
    users: (name: string): string[] => users.all(name) as string[],
  };
}

const NOTHING = {
  layout: null,
  diskRule: null,
  append: null,
  switchMode: null,
  trialSeconds: null,
  rateBytes: null,
};

function profileOf(row: Row): Profile {
  const said = {
    layout: row.layout,
    diskRule: row.disk_rule,
    append: row.append,
    switchMode: row.switch_mode,
    trialSeconds: row.trial_seconds,
    rateBytes: row.rate_bytes,
    readBack: row.read_back === null ? null : row.read_back === 1,
  };
  return {
    name: row.name as string,
    settings: Object.fromEntries(Object.entries(said).filter(([, value]) => value !== null)),
    revision: row.revision as number,
    createdAt: row.created_at as number,
  };
}

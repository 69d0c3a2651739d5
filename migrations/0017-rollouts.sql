-- Many hosts brought to an image in waves. All progress is counted from the attempts that carry the rollout's id.
CREATE TABLE rollouts (
  id                TEXT PRIMARY KEY,
  name              TEXT,
  -- Null: each member has its own, the one that it had before the rollout `rollback_of`.
  ref               TEXT,
  digest            TEXT,
  rollback_of       TEXT,
  fresh             INTEGER NOT NULL CHECK (fresh IN (0, 1)),
  waves             TEXT NOT NULL CHECK (json_valid(waves)),
  -- Amounts: `3` or `10%`.
  max_unavailable   TEXT NOT NULL,
  failure_threshold TEXT NOT NULL,
  soak_ms           INTEGER NOT NULL,
  skip_after_ms     INTEGER NOT NULL,
  status            TEXT NOT NULL CHECK (status IN ('running', 'paused', 'aborting', 'aborted', 'finished')),
  status_reason     TEXT NOT NULL,
  why               TEXT NOT NULL,
  wave              INTEGER NOT NULL,
  soak_at           INTEGER,
  counted_from      INTEGER NOT NULL,
  retry_from        INTEGER,
  accepted_wave     INTEGER NOT NULL,
  -- How many members stood where when it ended.
  result            TEXT CHECK (result IS NULL OR json_valid(result)),
  created_at        INTEGER NOT NULL,
  ended_at          INTEGER,
  CHECK ((ref IS NULL) = (digest IS NULL)),
  CHECK ((digest IS NULL) = (rollback_of IS NOT NULL)),
  CHECK ((status IN ('aborted', 'finished')) = (ended_at IS NOT NULL)),
  CHECK ((ended_at IS NULL) = (result IS NULL))
) STRICT;
CREATE INDEX rollouts_in_order ON rollouts (created_at, id);
CREATE INDEX rollouts_open ON rollouts (created_at) WHERE ended_at IS NULL;

-- A member stays when its host is removed, so that what was planned can be told.
CREATE TABLE rollout_members (
  rollout_id    TEXT NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
  position      INTEGER NOT NULL,
  host_id       TEXT NOT NULL,
  mac           TEXT NOT NULL,
  wave          INTEGER NOT NULL,
  -- Its own target, where the rollout has none for all.
  ref           TEXT,
  digest        TEXT,
  -- What it ran when it was ordered to the target.
  before_ref    TEXT,
  before_digest TEXT,
  PRIMARY KEY (rollout_id, position),
  CHECK ((ref IS NULL) = (digest IS NULL)),
  CHECK ((before_ref IS NULL) = (before_digest IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX rollout_members_by_host ON rollout_members (host_id, rollout_id);

ALTER TABLE attempts ADD COLUMN rollout_id TEXT;
CREATE INDEX attempts_by_rollout ON attempts (rollout_id, host_id, ordinal) WHERE rollout_id IS NOT NULL;

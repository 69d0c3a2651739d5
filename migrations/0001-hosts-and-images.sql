-- Times are milliseconds since 1970. Records that are read and written as one are columns; only lists are JSON.

CREATE TABLE hosts (
  id                TEXT PRIMARY KEY,
  status            TEXT NOT NULL CHECK (status IN ('discovered', 'approved', 'retired')),
  assignment_ref    TEXT,
  assignment_digest TEXT,
  layout            TEXT NOT NULL,
  disk_rule         TEXT NOT NULL,
  labels            TEXT NOT NULL CHECK (json_valid(labels)),
  wipe              INTEGER NOT NULL CHECK (wipe IN (0, 1)),
  append            TEXT NOT NULL,
  switch_mode       TEXT NOT NULL CHECK (switch_mode IN ('kexec', 'reboot')),
  claim_hash        TEXT,
  claim_attempt     TEXT,
  claim_used        INTEGER NOT NULL CHECK (claim_used IN (0, 1)),
  serial            INTEGER NOT NULL,
  created_at        INTEGER NOT NULL,
  CHECK ((assignment_ref IS NULL) = (assignment_digest IS NULL)),
  CHECK ((claim_hash IS NULL) = (claim_attempt IS NULL))
) STRICT;

-- A MAC belongs to one host; position 0 is the one shown.
CREATE TABLE host_macs (
  mac      TEXT PRIMARY KEY,
  host_id  TEXT NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
  position INTEGER NOT NULL
) STRICT;
CREATE INDEX host_macs_by_host ON host_macs (host_id, position);

CREATE TABLE attempts (
  id             TEXT PRIMARY KEY,
  host_id        TEXT NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
  kind           TEXT NOT NULL CHECK (kind IN ('install', 'switch')),
  digest         TEXT NOT NULL,
  ref            TEXT NOT NULL,
  cause          TEXT NOT NULL,
  wipe           INTEGER NOT NULL CHECK (wipe IN (0, 1)),
  fresh          INTEGER NOT NULL CHECK (fresh IN (0, 1)),
  work_boot_id   TEXT,
  phase          TEXT NOT NULL CHECK (phase IN
    ('pending', 'claimed', 'writing', 'installed', 'staging', 'staged', 'switching', 'confirming')),
  progress_phase TEXT,
  bytes_done     INTEGER,
  bytes_total    INTEGER,
  outcome        TEXT CHECK (outcome IN ('succeeded', 'failed', 'rolled-back', 'superseded')),
  reason         TEXT NOT NULL,
  created_at     INTEGER NOT NULL,
  phase_at       INTEGER NOT NULL,
  deadline       INTEGER,
  ended_at       INTEGER,
  ordinal        INTEGER NOT NULL,
  CHECK ((outcome IS NULL) = (ended_at IS NULL)),
  CHECK (outcome IS NULL OR deadline IS NULL)
) STRICT;
-- At most one attempt of a host is open, whatever the code believes.
CREATE UNIQUE INDEX attempts_open ON attempts (host_id) WHERE outcome IS NULL;
CREATE UNIQUE INDEX attempts_by_host ON attempts (host_id, ordinal);
CREATE INDEX attempts_by_deadline ON attempts (deadline) WHERE deadline IS NOT NULL;

CREATE TABLE observations (
  host_id      TEXT PRIMARY KEY REFERENCES hosts (id) ON DELETE CASCADE,
  boot_id      TEXT NOT NULL,
  seq          INTEGER NOT NULL,
  environment  TEXT NOT NULL CHECK (environment IN ('installer', 'os')),
  slot         TEXT,
  digest       TEXT,
  boot_default TEXT,
  slots        TEXT NOT NULL CHECK (json_valid(slots)),
  disk         TEXT,
  trial        INTEGER NOT NULL CHECK (trial IN (0, 1)),
  at           INTEGER NOT NULL
) STRICT;

-- What makes a report the same report: its boot and number. The body's hash tells a repetition from a contradiction.
CREATE TABLE reports (
  host_id   TEXT NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
  boot_id   TEXT NOT NULL,
  seq       INTEGER NOT NULL,
  body_hash TEXT NOT NULL,
  PRIMARY KEY (host_id, boot_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  kind    TEXT NOT NULL,
  host_id TEXT,
  attempt TEXT,
  actor   TEXT NOT NULL,
  reason  TEXT NOT NULL,
  data    TEXT NOT NULL CHECK (json_valid(data))
) STRICT;
CREATE INDEX events_by_host ON events (host_id, id);

-- A pack is a file of frames, written once; a chunk lies in one of them.
CREATE TABLE packs (
  id         TEXT PRIMARY KEY,
  bytes      INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE chunks (
  sha256    BLOB PRIMARY KEY CHECK (length(sha256) = 32),
  pack_id   TEXT NOT NULL REFERENCES packs (id),
  offset    INTEGER NOT NULL,
  bytes     INTEGER NOT NULL CHECK (bytes > 0),
  raw_bytes INTEGER NOT NULL CHECK (raw_bytes > 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE images (
  digest      TEXT PRIMARY KEY,
  kind        TEXT NOT NULL CHECK (kind IN ('os', 'installer')),
  created_at  INTEGER NOT NULL,
  data_bytes  INTEGER NOT NULL,
  frames_hash TEXT NOT NULL
) STRICT;

CREATE TABLE tags (
  name       TEXT NOT NULL,
  tag        TEXT NOT NULL,
  digest     TEXT NOT NULL REFERENCES images (digest),
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (name, tag)
) STRICT, WITHOUT ROWID;

CREATE TABLE builds (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  tag        TEXT NOT NULL,
  status     TEXT NOT NULL CHECK (status IN ('running', 'succeeded', 'failed', 'interrupted')),
  digest     TEXT,
  error      TEXT,
  started_at INTEGER NOT NULL,
  ended_at   INTEGER,
  CHECK ((status = 'running') = (ended_at IS NULL)),
  CHECK (digest IS NULL OR status = 'succeeded')
) STRICT;

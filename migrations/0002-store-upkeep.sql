-- Which chunks an image uses stands in rows, so that frames.json follows from rows and what nobody uses is found.
-- Images stored before this have no such rows: they go, and are built again.
DELETE FROM tags;
DROP TABLE tags;
DROP TABLE images;
DELETE FROM chunks;
DELETE FROM packs;

-- The chunks of an image. A set without image is one that is being written, or what is left of one: it is cleared, a
-- part at a time. An id is never used twice.
CREATE TABLE chunk_sets (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  -- Frames of its chunks that have a row, each once.
  data_bytes     INTEGER NOT NULL,
  -- Chunks that a check found damaged and that no build, import or push has brought back.
  missing_chunks INTEGER NOT NULL CHECK (missing_chunks >= 0)
) STRICT;

CREATE TABLE images (
  digest        TEXT PRIMARY KEY,
  kind          TEXT NOT NULL CHECK (kind IN ('os', 'installer')),
  created_at    INTEGER NOT NULL,
  chunk_set     INTEGER NOT NULL UNIQUE REFERENCES chunk_sets (id),
  -- A check found its index, kernel or initrd damaged.
  files_damaged INTEGER NOT NULL CHECK (files_damaged IN (0, 1))
) STRICT;

CREATE TABLE tags (
  name       TEXT NOT NULL,
  tag        TEXT NOT NULL,
  digest     TEXT NOT NULL REFERENCES images (digest),
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (name, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_digest ON tags (digest);

-- Each different chunk of a set, whether it has a row in `chunks` or not.
CREATE TABLE set_chunks (
  set_id INTEGER NOT NULL REFERENCES chunk_sets (id),
  sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
  PRIMARY KEY (set_id, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX set_chunks_by_chunk ON set_chunks (sha256);

-- How much of a pack is alive, and its frames in the order in which they lie.
CREATE INDEX chunks_by_pack ON chunks (pack_id, offset, bytes);

-- A build may wait until others have ended. The rows are copied in the order in which they were written, which is told.
CREATE TABLE builds_with_queue (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  tag        TEXT NOT NULL,
  status     TEXT NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'interrupted')),
  digest     TEXT,
  error      TEXT,
  started_at INTEGER NOT NULL,
  ended_at   INTEGER,
  CHECK ((status IN ('queued', 'running')) = (ended_at IS NULL)),
  CHECK (digest IS NULL OR status = 'succeeded')
) STRICT;
INSERT INTO builds_with_queue SELECT * FROM builds ORDER BY rowid;
DROP TABLE builds;
ALTER TABLE builds_with_queue RENAME TO builds;

-- Who is told of events. The log is the queue: each hook has a place in it.
CREATE TABLE webhooks (
  id          TEXT PRIMARY KEY,
  url         TEXT NOT NULL,
  -- Null: every kind.
  kinds       TEXT CHECK (kinds IS NULL OR json_valid(kinds)),
  selector    TEXT,
  -- Signs what is sent, so it is kept as it is.
  secret      TEXT NOT NULL,
  status      TEXT NOT NULL CHECK (status IN ('enabled', 'disabled')),
  reason      TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  -- The last event that it has got, or that does not concern it.
  cursor      INTEGER NOT NULL CHECK (cursor >= 0),
  delivered   INTEGER NOT NULL CHECK (delivered >= 0),
  failures    INTEGER NOT NULL CHECK (failures >= 0),
  next_at     INTEGER,
  last_at     INTEGER,
  last_status INTEGER,
  last_error  TEXT,
  lost        INTEGER NOT NULL CHECK (lost >= 0),
  lost_at     INTEGER
) STRICT;

-- POSTs that are done once: what was asked under a key, and what was answered.
CREATE TABLE idempotency_keys (
  -- Id of the token: keys of two never meet.
  token      TEXT NOT NULL,
  key        TEXT NOT NULL,
  -- sha256 of method, path and body.
  request    TEXT NOT NULL,
  -- `applied`: what it asked for is in the database, by the same transaction that says so.
  state      TEXT NOT NULL CHECK (state IN ('begun', 'applied', 'answered')),
  status     INTEGER,
  headers    TEXT CHECK (headers IS NULL OR json_valid(headers)),
  body       TEXT,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (token, key),
  CHECK ((state = 'answered') = (status IS NOT NULL)),
  CHECK ((status IS NULL) = (headers IS NULL) AND (status IS NULL) = (body IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

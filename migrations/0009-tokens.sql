-- Who may use the admin plane. Times are milliseconds since 1970.

-- A token is kept as its sha256, never itself. A revoked one stays: its name stands in events, and the file of the first
-- token must not bring it back.
CREATE TABLE tokens (
  id           TEXT PRIMARY KEY,
  hash         TEXT NOT NULL UNIQUE CHECK (length(hash) = 64),
  name         TEXT NOT NULL,
  role         TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
  created_at   INTEGER NOT NULL,
  -- Null: the server made it, at a first start.
  created_by   TEXT,
  expires_at   INTEGER,
  last_used_at INTEGER,
  revoked_at   INTEGER
) STRICT;
CREATE UNIQUE INDEX tokens_by_name ON tokens (name) WHERE revoked_at IS NULL;

-- Of a claimed host: an operator took its token away. The hash stays, so that this token is not taken again.
ALTER TABLE hosts ADD COLUMN claim_released INTEGER NOT NULL DEFAULT 0
  CHECK (claim_released = 0 OR (claim_released = 1 AND claim_hash IS NOT NULL));

-- Logins of browsers. A session ends with its token.
CREATE TABLE sessions (
  hash       TEXT PRIMARY KEY CHECK (length(hash) = 64),
  token_id   TEXT NOT NULL REFERENCES tokens (id),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_token ON sessions (token_id, created_at);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

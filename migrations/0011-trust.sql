-- Keys that sign manifests, and what hosts trust in. The private halves lie in DATA/keys, never here.

CREATE TABLE manifest_keys (
  id         TEXT PRIMARY KEY,
  public_pem TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('announced', 'active', 'retiring', 'dropped')),
  created_at INTEGER NOT NULL,
  since      INTEGER NOT NULL,
  switch_at  INTEGER,
  CHECK ((switch_at IS NOT NULL) = (state = 'announced'))
) STRICT;
-- One signs, and one may be on its way to that.
CREATE UNIQUE INDEX manifest_keys_signing ON manifest_keys (state) WHERE state IN ('announced', 'active');

-- One row: the trust document that was given out last. A host takes only a higher edition.
CREATE TABLE trust_edition (
  id      INTEGER PRIMARY KEY CHECK (id = 1),
  edition INTEGER NOT NULL,
  content TEXT NOT NULL
) STRICT;

-- What a host was last heard to hold.
CREATE TABLE host_trust (
  host_id TEXT PRIMARY KEY REFERENCES hosts (id) ON DELETE CASCADE,
  keys    TEXT NOT NULL,
  secure  INTEGER NOT NULL CHECK (secure IN (0, 1)),
  at      INTEGER NOT NULL
) STRICT;

-- Machines that nobody has enrolled: they report what they are and wait.

-- Of a host whose status is `discovered`: it is left to its disk. A new status would need a new table.
ALTER TABLE hosts ADD COLUMN ignored INTEGER NOT NULL DEFAULT 0 CHECK (ignored = 0 OR (ignored = 1 AND status = 'discovered'));
-- An operator decided on it; rules pass over it.
ALTER TABLE hosts ADD COLUMN by_hand INTEGER NOT NULL DEFAULT 0 CHECK (by_hand IN (0, 1));
ALTER TABLE hosts ADD COLUMN forget_at INTEGER CHECK (forget_at IS NULL OR status = 'discovered');
-- Both how many wait and who is forgotten next.
CREATE INDEX hosts_by_forget ON hosts (forget_at) WHERE forget_at IS NOT NULL;
CREATE INDEX hosts_discovered ON hosts (by_hand) WHERE status = 'discovered';

-- What a machine said of itself last; of approved hosts too.
CREATE TABLE inventories (
  host_id  TEXT PRIMARY KEY REFERENCES hosts (id) ON DELETE CASCADE,
  facts    TEXT NOT NULL CHECK (json_valid(facts)),
  -- From which it was sent.
  address  TEXT NOT NULL,
  at       INTEGER NOT NULL,
  -- What the rules said of it, and why.
  decision TEXT CHECK (decision IS NULL OR json_valid(decision))
) STRICT;

-- One row, once somebody has set the rules.
CREATE TABLE discovery_policy (
  id      INTEGER PRIMARY KEY CHECK (id = 1),
  version INTEGER NOT NULL CHECK (version > 0),
  policy  TEXT NOT NULL CHECK (json_valid(policy))
) STRICT;

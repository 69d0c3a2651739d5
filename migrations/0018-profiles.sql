-- Defaults for many hosts. NULL: the profile does not say.
CREATE TABLE profiles (
  name          TEXT PRIMARY KEY,
  layout        TEXT,
  disk_rule     TEXT,
  append        TEXT,
  switch_mode   TEXT CHECK (switch_mode IN ('kexec', 'reboot')),
  trial_seconds INTEGER CHECK (trial_seconds > 0),
  rate_bytes    INTEGER CHECK (rate_bytes > 0),
  revision      INTEGER NOT NULL,
  created_at    INTEGER NOT NULL
) STRICT;

ALTER TABLE hosts ADD COLUMN profile TEXT REFERENCES profiles (name);
CREATE INDEX hosts_by_profile ON hosts (profile) WHERE profile IS NOT NULL;

-- Where a host's settings came from: "own" or "profile"; what is left out is the default. Until now all were the host's own.
ALTER TABLE hosts ADD COLUMN origins TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(origins));
UPDATE hosts SET origins = (
  SELECT json_group_object(name, 'own') FROM (
    SELECT 'layout' AS name WHERE layout <> 'two-slots'
    UNION ALL SELECT 'diskRule' WHERE disk_rule <> 'smallest'
    UNION ALL SELECT 'append' WHERE append <> ''
    UNION ALL SELECT 'switchMode' WHERE switch_mode <> 'kexec'
    UNION ALL SELECT 'trialSeconds' WHERE trial_seconds IS NOT NULL
    UNION ALL SELECT 'rateBytes' WHERE rate_bytes IS NOT NULL
  )
);

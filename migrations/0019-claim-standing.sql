-- How a claim stands. "lapsed": no report came with it in time. Until now such a claim was forgotten, with what stood before it.
ALTER TABLE hosts ADD COLUMN claim_standing TEXT CHECK (claim_standing IN ('new', 'used', 'lapsed', 'released'));
UPDATE hosts SET claim_standing = CASE WHEN claim_released = 1 THEN 'released' WHEN claim_used = 1 THEN 'used' ELSE 'new' END
  WHERE claim_hash IS NOT NULL;
-- The token that was good before a claim that no report has come with; and those that operators took away.
ALTER TABLE hosts ADD COLUMN claim_before TEXT;
ALTER TABLE hosts ADD COLUMN claim_refused TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(claim_refused));
UPDATE hosts SET claim_refused = json_array(claim_hash) WHERE claim_released = 1;
ALTER TABLE hosts DROP COLUMN claim_released;
ALTER TABLE hosts DROP COLUMN claim_used;

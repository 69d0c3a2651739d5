-- The one power cycle of an attempt whose host said that it jumps and did not come back.
ALTER TABLE attempts ADD COLUMN power TEXT CHECK (power IN ('queued', 'begun', 'done', 'failed'));
CREATE INDEX attempts_by_power ON attempts (power, deadline) WHERE power IN ('queued', 'begun') AND outcome IS NULL;

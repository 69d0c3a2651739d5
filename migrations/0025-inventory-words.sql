-- What hosts are looked for by of their inventory: make, product and serial of the system and of its board, and the address that it
-- came from. Until now serials alone. Small enough to be looked through at every question.
DROP INDEX inventories_by_serials;
ALTER TABLE inventories DROP COLUMN serials;
ALTER TABLE inventories ADD COLUMN words TEXT GENERATED ALWAYS AS (lower(
  coalesce(facts ->> '$.system.vendor', '') || ' ' || coalesce(facts ->> '$.system.product', '') || char(10) ||
  coalesce(facts ->> '$.system.serial', '') || char(10) ||
  coalesce(facts ->> '$.board.vendor', '') || ' ' || coalesce(facts ->> '$.board.product', '') || char(10) ||
  coalesce(facts ->> '$.board.serial', '') || char(10) || address)) VIRTUAL;
CREATE INDEX inventories_by_words ON inventories (words, host_id);

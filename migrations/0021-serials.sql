-- Serials of a machine, of the system and of its board, to be searched: small enough to be looked through at every question.
ALTER TABLE inventories ADD COLUMN serials TEXT GENERATED ALWAYS AS
  (lower(coalesce(facts ->> '$.system.serial', '') || char(10) || coalesce(facts ->> '$.board.serial', ''))) VIRTUAL;
CREATE INDEX inventories_by_serials ON inventories (serials, host_id);

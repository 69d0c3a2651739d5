-- Rises with everything that operators say of a host or order for it: an ETag is made of it.
ALTER TABLE hosts ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;

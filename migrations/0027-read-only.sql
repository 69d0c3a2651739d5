-- Whether the host's disk takes no writes any more, as its boot loader or its kernel saw in this boot.
ALTER TABLE observations ADD COLUMN read_only INTEGER NOT NULL DEFAULT 0 CHECK (read_only IN (0, 1));

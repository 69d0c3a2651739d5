-- Whether a slot is read back and compared after it was written. Every host is, until an operator says otherwise; of a profile
-- NULL: it does not say.
ALTER TABLE hosts ADD COLUMN read_back INTEGER NOT NULL DEFAULT 1 CHECK (read_back IN (0, 1));
ALTER TABLE profiles ADD COLUMN read_back INTEGER CHECK (read_back IN (0, 1));

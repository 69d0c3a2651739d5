-- What a build knew and nobody wrote down. NULL: not recorded, as of images that came as a file or from another server.
-- The layers of an image, base first: what made each, its files, and where it begins on the partition.
ALTER TABLE images ADD COLUMN layers TEXT CHECK (layers IS NULL OR json_valid(layers));
-- What the checks of a build found: those that passed, and those that failed with the line to add.
ALTER TABLE builds ADD COLUMN checks TEXT CHECK (checks IS NULL OR json_valid(checks));

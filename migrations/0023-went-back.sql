-- Why a machine left the image that it was to run, in its own words: of its last `rolled-back`, while it runs what it went back to.
-- An attempt that has ended keeps its outcome, so the reason of a later way back has no other place.
ALTER TABLE observations ADD COLUMN went_back TEXT;

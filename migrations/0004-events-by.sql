-- Of an event that an operator caused: the name of the token. Older ones do not know it.
ALTER TABLE events ADD COLUMN by_name TEXT;

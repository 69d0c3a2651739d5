-- Each time the database came back from a backup. The ids of events between the two were given by the database that was lost, and
-- are never given again.
CREATE TABLE restores (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  made_at    INTEGER NOT NULL,
  last_event INTEGER NOT NULL,
  next_event INTEGER NOT NULL,
  CHECK (next_event > last_event)
) STRICT;

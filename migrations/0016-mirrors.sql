-- One row, once somebody has named mirrors.
CREATE TABLE mirrors (
  id      INTEGER PRIMARY KEY CHECK (id = 1),
  version INTEGER NOT NULL CHECK (version > 0),
  mirrors TEXT NOT NULL CHECK (json_valid(mirrors))
) STRICT;

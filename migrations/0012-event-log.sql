-- The log is append-only, whatever the code believes. What retention gives up goes from the oldest on, and is written down first.
CREATE TABLE event_log (
  id        INTEGER PRIMARY KEY CHECK (id = 1),
  -- Events up to this one are gone, or about to go.
  pruned_to INTEGER NOT NULL CHECK (pruned_to >= 0)
) STRICT;
INSERT INTO event_log VALUES (1, 0);

CREATE TRIGGER event_log_rises BEFORE UPDATE ON event_log
WHEN NEW.pruned_to < OLD.pruned_to OR NEW.pruned_to >= (SELECT max(id) FROM events)
BEGIN SELECT RAISE(ABORT, 'events go oldest first, and the newest stays'); END;
CREATE TRIGGER event_log_stays BEFORE DELETE ON event_log
BEGIN SELECT RAISE(ABORT, 'the log keeps its own record'); END;

CREATE TRIGGER events_unchanged BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_stay BEFORE DELETE ON events WHEN OLD.id > (SELECT pruned_to FROM event_log)
BEGIN SELECT RAISE(ABORT, 'events are append-only: only retention removes them, oldest first'); END;
-- INSERT OR REPLACE would remove a row without asking the trigger above.
CREATE TRIGGER events_not_replaced BEFORE INSERT ON events WHEN EXISTS (SELECT 1 FROM events WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

-- One for each filter; each ends with the id, in whose order events are read.
CREATE INDEX events_by_kind ON events (kind);
CREATE INDEX events_by_attempt ON events (attempt) WHERE attempt IS NOT NULL;
CREATE INDEX events_by_actor ON events (actor);
CREATE INDEX events_by_token ON events (by_name) WHERE by_name IS NOT NULL;
CREATE INDEX events_by_time ON events (at);

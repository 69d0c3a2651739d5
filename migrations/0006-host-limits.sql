-- Of each host; where it is NULL the server's own setting counts.
ALTER TABLE hosts ADD COLUMN trial_seconds INTEGER CHECK (trial_seconds BETWEEN 60 AND 86400);
-- Bytes per second that staging may take of the network.
ALTER TABLE hosts ADD COLUMN rate_bytes INTEGER CHECK (rate_bytes > 0);

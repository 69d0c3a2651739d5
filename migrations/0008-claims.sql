-- Whose token it is, at each large transfer.
CREATE INDEX hosts_by_claim ON hosts (claim_hash) WHERE claim_hash IS NOT NULL;

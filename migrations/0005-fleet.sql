-- Pages of hosts are read on from a place in this order.
CREATE INDEX hosts_by_place ON hosts (created_at, id);

-- Files of single hosts: network settings, keys, a seed for cloud-init. Hosts with the same ones share a set; one that no host
-- names is dropped by the change that let go of it.
CREATE TABLE file_sets (
  sha256     TEXT PRIMARY KEY CHECK (length(sha256) = 64),
  tar        BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

ALTER TABLE hosts ADD COLUMN files_sha256 TEXT REFERENCES file_sets (sha256);
CREATE INDEX hosts_by_files ON hosts (files_sha256) WHERE files_sha256 IS NOT NULL;

-- Why an operator holds a host: none of its orders is carried out until it is resumed.
ALTER TABLE hosts ADD COLUMN held TEXT;

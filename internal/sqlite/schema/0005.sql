-- Checksums (CRC-32C) of what a row says; NULL where the row is older than
-- they are. See checksum.go for what each of them covers.
ALTER TABLE log0 ADD COLUMN sum INTEGER;
ALTER TABLE log1 ADD COLUMN sum INTEGER;
ALTER TABLE chat ADD COLUMN sum INTEGER;
ALTER TABLE checkpoint ADD COLUMN sum INTEGER;

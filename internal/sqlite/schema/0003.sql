-- When a dead letter was asked to be sent again, in milliseconds since 1970; 0
-- if it was not.
ALTER TABLE push_dead ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;

CREATE INDEX push_dead_asked ON push_dead (id) WHERE asked <> 0;

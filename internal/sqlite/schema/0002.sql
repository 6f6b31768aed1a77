-- How far each chat whose visitor has a device has been pushed.
CREATE TABLE push_cursor (
    chat INTEGER PRIMARY KEY,
    done INTEGER NOT NULL
) STRICT;

-- Events that could not be pushed.
CREATE TABLE push_dead (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    chat     INTEGER NOT NULL,
    idx      INTEGER NOT NULL,
    type     TEXT NOT NULL,
    carrier  TEXT NOT NULL,
    reason   TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    ts       INTEGER NOT NULL -- milliseconds since 1970
) STRICT;

CREATE INDEX push_dead_ts ON push_dead (ts);

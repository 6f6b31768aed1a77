-- Chats that an operator wants ended. The server that runs, or the next one,
-- does it and writes down what came of it; until then outcome is empty.
CREATE TABLE chat_end (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    chat     INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    operator TEXT NOT NULL,
    ts       INTEGER NOT NULL, -- milliseconds since 1970
    outcome  TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX chat_end_open ON chat_end (id) WHERE outcome = '';

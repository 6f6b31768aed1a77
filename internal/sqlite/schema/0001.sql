-- Live records in the order of their arrival. Ids are numbered through both
-- tables, so the one with the higher ids is the one that is written to.
CREATE TABLE log0 (
    id   INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    log  INTEGER NOT NULL,
    idx  INTEGER NOT NULL,
    ts   INTEGER NOT NULL, -- milliseconds since 1970
    body BLOB NOT NULL
) STRICT;

CREATE TABLE log1 (
    id   INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    log  INTEGER NOT NULL,
    idx  INTEGER NOT NULL,
    ts   INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

-- Which records stand in the rows id to id + n - 1 of the log tables. It is
-- there for a quick start: what is missing is read from the log tables.
CREATE TABLE roster (
    id   INTEGER PRIMARY KEY,
    n    INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

-- Packed records: n of them from the index idx on.
CREATE TABLE chunk (
    kind INTEGER NOT NULL,
    log  INTEGER NOT NULL,
    idx  INTEGER NOT NULL,
    n    INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (kind, log, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
    kind INTEGER NOT NULL,
    log  INTEGER NOT NULL,
    idx  INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (kind, log)
) STRICT, WITHOUT ROWID;

-- The summary of every chat. The columns beside the body are copied from it.
CREATE TABLE chat (
    id       INTEGER PRIMARY KEY,
    live     INTEGER NOT NULL,
    deadline INTEGER NOT NULL, -- milliseconds since 1970, 0 for none
    ended    INTEGER NOT NULL, -- milliseconds since 1970, 0 for not yet
    body     BLOB NOT NULL
) STRICT;

CREATE INDEX chat_live ON chat (id) WHERE live = 1;

CREATE TABLE claim (
    agent INTEGER NOT NULL,
    chat  INTEGER NOT NULL,
    PRIMARY KEY (agent, chat)
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    login    TEXT NOT NULL UNIQUE,
    name     TEXT NOT NULL,
    role     TEXT NOT NULL,
    capacity INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    password TEXT NOT NULL
) STRICT;

-- One row that counts the changes of accounts, whoever makes them.
CREATE TABLE account_version (n INTEGER NOT NULL) STRICT;
INSERT INTO account_version (n) VALUES (0);
CREATE TRIGGER account_created AFTER INSERT ON account BEGIN UPDATE account_version SET n = n + 1; END;
CREATE TRIGGER account_changed AFTER UPDATE ON account BEGIN UPDATE account_version SET n = n + 1; END;
CREATE TRIGGER account_deleted AFTER DELETE ON account BEGIN UPDATE account_version SET n = n + 1; END;

CREATE TABLE session (
    token   BLOB PRIMARY KEY, -- SHA-256 of the token
    staff   INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

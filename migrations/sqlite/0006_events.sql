-- What happened to customers: survey answers (kind 'nps', 'csat') and what else the shop tells.
CREATE TABLE events (
    id INTEGER NOT NULL PRIMARY KEY,
    external_id TEXT NOT NULL UNIQUE,
    customer_id INTEGER NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    value TEXT,
    at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX events_by_customer ON events (customer_id, kind, at);
CREATE INDEX events_by_kind ON events (kind, at);

-- What happened to customers: survey answers (kind 'nps', 'csat') and what else the shop tells.
CREATE TABLE events (
    id BIGINT NOT NULL PRIMARY KEY,
    external_id TEXT COLLATE "C" NOT NULL UNIQUE,
    customer_id BIGINT NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    kind TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C",
    at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX events_by_customer ON events (customer_id, kind, at);
CREATE INDEX events_by_kind ON events (kind, at);

-- A message is written once and long; where it stands changes with claim, mark and end, and is short. In one row each of these changes wrote the whole message
-- anew, and its end three indexes besides. SQLite drops checked columns only with the table, and with a table the rows that point to it: `attempts` moves too.
DROP VIEW attempt_log;
DROP VIEW outcome_log;

CREATE TABLE messages_too (
    -- No message without its delivery, which would never be sent nor missed: asked at COMMIT, as each of the two names the other.
    id INTEGER NOT NULL PRIMARY KEY REFERENCES deliveries (message_id) DEFERRABLE INITIALLY DEFERRED,
    decision_id INTEGER NOT NULL UNIQUE REFERENCES decisions (id) ON DELETE CASCADE,
    customer_id INTEGER NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    rule TEXT NOT NULL,
    variant TEXT NOT NULL,
    occasion TEXT NOT NULL,
    channel TEXT NOT NULL CHECK (channel IN ('email', 'webhook')),
    basis TEXT NOT NULL,
    action TEXT NOT NULL,                -- JSON
    body TEXT,                           -- a webhook's exact bytes
    created_at INTEGER NOT NULL,
    UNIQUE (customer_id, rule, occasion)
) STRICT;
CREATE TABLE deliveries (
    message_id INTEGER NOT NULL PRIMARY KEY REFERENCES messages_too (id) ON DELETE CASCADE,
    channel TEXT NOT NULL,               -- the message's, and its rule: a claim goes by them
    rule TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'claimed', 'data', 'sent', 'failed', 'in_doubt', 'cancelled')),
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    fence INTEGER NOT NULL,                  -- grows with each claim
    lease_owner TEXT,
    lease_until INTEGER,                     -- by the machine's clock
    done_at INTEGER,
    fault TEXT,
    reply TEXT,
    last_started_at INTEGER,                 -- of the try that ended it; those before it are in `attempts`
    last_result TEXT,
    CHECK ((state IN ('claimed', 'data')) = (lease_until IS NOT NULL)),
    CHECK ((state IN ('sent', 'failed', 'in_doubt', 'cancelled')) = (done_at IS NOT NULL))
) STRICT;

INSERT INTO messages_too (id, decision_id, customer_id, rule, variant, occasion, channel, basis, action, body, created_at)
    SELECT id, decision_id, customer_id, rule, variant, occasion, channel, basis, action, body, created_at FROM messages ORDER BY id;
INSERT INTO deliveries (message_id, channel, rule, state, due_at, attempts, fence, lease_owner, lease_until, done_at, fault, reply, last_started_at, last_result)
    SELECT id, channel, rule, state, due_at, attempts, fence, lease_owner, lease_until, done_at, fault, reply, last_started_at, last_result
    FROM messages ORDER BY id;
-- The only index whose columns change while a message goes out, and only at its end: a claim and a mark then cost one row each. (A message is done
-- when it has left the states 'queued', 'claimed' and 'data'.)
CREATE INDEX deliveries_open ON deliveries (due_at, message_id) WHERE done_at IS NULL;

CREATE TABLE attempts_too (
    message_id INTEGER NOT NULL REFERENCES messages_too (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    result TEXT NOT NULL,                -- 'accepted', 'retry', 'refused', 'in_doubt', 'cancelled'
    fault TEXT,
    detail TEXT NOT NULL,
    PRIMARY KEY (message_id, number)
) STRICT, WITHOUT ROWID;
INSERT INTO attempts_too (message_id, number, started_at, ended_at, result, fault, detail)
    SELECT message_id, number, started_at, ended_at, result, fault, detail FROM attempts;

DROP TABLE attempts;
DROP TABLE messages;
-- Whoever points to them goes along.
ALTER TABLE messages_too RENAME TO messages;
ALTER TABLE attempts_too RENAME TO attempts;

CREATE VIEW attempt_log AS
    SELECT message_id, number, started_at, ended_at, result, fault, detail FROM attempts
    UNION ALL SELECT message_id, fence, last_started_at, done_at, last_result, fault, reply FROM deliveries WHERE last_result IS NOT NULL;

CREATE VIEW outcome_log AS
    SELECT m.decision_id, CASE d.state WHEN 'sent' THEN 'accepted' WHEN 'failed' THEN 'refused' ELSE 'in_doubt' END AS kind, 0 AS ref, d.done_at AS at,
           NULL AS value_cents
    FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE d.state IN ('sent', 'failed', 'in_doubt')
    UNION ALL SELECT decision_id, kind, ref, at, value_cents FROM outcomes;

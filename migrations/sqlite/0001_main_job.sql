-- The shop's data: who buys, what they said about being written to, what they ordered.
CREATE TABLE customers (
    id INTEGER NOT NULL PRIMARY KEY,
    external_id TEXT NOT NULL UNIQUE,
    email TEXT,
    email_key TEXT,                      -- lower case; suppressions are found by it
    first_name TEXT,
    last_name TEXT,
    birthday TEXT,                       -- YYYY-MM-DD
    locale TEXT,
    tags TEXT NOT NULL,                  -- JSON array of strings
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX customers_by_email ON customers (email_key);

CREATE TABLE consents (
    customer_id INTEGER NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('double_opt_in', 'single_opt_in', 'existing_customer', 'objected')),
    source TEXT NOT NULL,
    PRIMARY KEY (customer_id, at, kind, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE suppressions (
    email_key TEXT NOT NULL PRIMARY KEY,
    reason TEXT NOT NULL,                -- a fault's word, or 'complaint', 'manual'
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
    id INTEGER NOT NULL PRIMARY KEY,
    external_id TEXT NOT NULL UNIQUE,
    customer_id INTEGER NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    ordered_at INTEGER NOT NULL,
    revenue_cents INTEGER NOT NULL,
    cost_cents INTEGER,
    currency TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('paid', 'open', 'cancelled')),
    voucher_code TEXT,
    content_hash INTEGER NOT NULL,           -- of everything an import says about the order, lines included
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX orders_by_customer ON orders (customer_id, ordered_at);

CREATE TABLE order_lines (
    order_id INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    line_no INTEGER NOT NULL,
    sku TEXT,
    name TEXT,
    category TEXT,
    quantity INTEGER NOT NULL,
    total_cents INTEGER,
    cost_cents INTEGER,
    PRIMARY KEY (order_id, line_no)
) STRICT, WITHOUT ROWID;

-- Figures about customers as of a moment.
CREATE TABLE scores (
    customer_id INTEGER NOT NULL PRIMARY KEY REFERENCES customers (id) ON DELETE CASCADE,
    as_of INTEGER NOT NULL,
    recency_days INTEGER NOT NULL,
    orders INTEGER NOT NULL,
    revenue_cents INTEGER NOT NULL,
    average_order_value_cents INTEGER NOT NULL,
    first_order_at INTEGER NOT NULL,
    last_order_at INTEGER NOT NULL,
    tenure_days INTEGER NOT NULL,
    r INTEGER NOT NULL,
    f INTEGER NOT NULL,
    m INTEGER NOT NULL,
    rfm INTEGER NOT NULL,
    rfm_weighted_e4 INTEGER NOT NULL,
    abc TEXT NOT NULL,
    revenue_rank INTEGER NOT NULL,
    top_percent INTEGER NOT NULL
) STRICT;

CREATE TABLE score_runs (
    name TEXT NOT NULL PRIMARY KEY,      -- 'latest'
    as_of INTEGER NOT NULL,
    customers INTEGER NOT NULL,
    borders TEXT NOT NULL,               -- JSON: where one bucket or class ends, to place a single customer between full runs
    stale INTEGER NOT NULL                   -- 1: facts changed in a way that only a full run shows
) STRICT, WITHOUT ROWID;

-- Rules that ran, and their runs.
CREATE TABLE rule_versions (
    rule TEXT NOT NULL,
    hash TEXT NOT NULL,
    text TEXT NOT NULL,
    first_seen_at INTEGER NOT NULL,
    PRIMARY KEY (rule, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE rule_states (
    rule TEXT NOT NULL PRIMARY KEY,
    hash TEXT NOT NULL,
    changed_at INTEGER NOT NULL              -- no run before it is made up for
) STRICT, WITHOUT ROWID;

CREATE TABLE ticks (
    rule TEXT NOT NULL,
    tick_at INTEGER NOT NULL,
    rule_hash TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    cursor_customer_id INTEGER NOT NULL,     -- customers up to here are decided
    PRIMARY KEY (rule, tick_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX ticks_unfinished ON ticks (tick_at) WHERE finished_at IS NULL;

-- Who may do what only one daemon may do at a time.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    until INTEGER NOT NULL                   -- by the machine's clock
) STRICT, WITHOUT ROWID;

-- What was decided, what left, what came of it.
CREATE TABLE decisions (
    id INTEGER NOT NULL PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    rule TEXT NOT NULL,
    occasion TEXT NOT NULL,
    slot TEXT NOT NULL,                  -- 'arm' for send and control: one per occasion, that is the promise; the reason for a refusal
    rule_hash TEXT NOT NULL,
    tick_at INTEGER NOT NULL,                -- the moment it was made for
    decided_at INTEGER NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('send', 'control', 'refused')),
    variant TEXT,
    detail TEXT NOT NULL,
    effective_at INTEGER NOT NULL,
    goal_until INTEGER,
    inputs TEXT NOT NULL,                -- JSON: what the rule saw
    times INTEGER NOT NULL,                  -- how often the same refusal came again for the same occasion
    last_at INTEGER NOT NULL,
    UNIQUE (customer_id, rule, occasion, slot),
    CHECK ((slot = 'arm') = (verdict <> 'refused')),
    CHECK ((variant IS NOT NULL) = (verdict = 'send'))
) STRICT;
CREATE INDEX decisions_by_goal ON decisions (goal_until) WHERE goal_until IS NOT NULL;
CREATE INDEX decisions_by_rule ON decisions (rule, verdict);

CREATE TABLE messages (
    id INTEGER NOT NULL PRIMARY KEY,
    decision_id INTEGER NOT NULL UNIQUE REFERENCES decisions (id) ON DELETE CASCADE,
    customer_id INTEGER NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    rule TEXT NOT NULL,
    variant TEXT NOT NULL,
    occasion TEXT NOT NULL,
    channel TEXT NOT NULL CHECK (channel IN ('email', 'webhook')),
    basis TEXT NOT NULL,
    action TEXT NOT NULL,                -- JSON
    body TEXT,                           -- a webhook's exact bytes
    state TEXT NOT NULL CHECK (state IN ('queued', 'claimed', 'data', 'sent', 'failed', 'in_doubt', 'cancelled')),
    due_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    fence INTEGER NOT NULL,                  -- grows with each claim
    lease_owner TEXT,
    lease_until INTEGER,                     -- by the machine's clock
    done_at INTEGER,
    fault TEXT,
    reply TEXT,
    last_started_at INTEGER,              -- of the try that ended it; those before it are in `attempts`
    last_result TEXT,
    UNIQUE (customer_id, rule, occasion),
    CHECK ((state IN ('claimed', 'data')) = (lease_until IS NOT NULL)),
    CHECK ((state IN ('sent', 'failed', 'in_doubt', 'cancelled')) = (done_at IS NOT NULL))
) STRICT;
-- The only index whose columns change while a message goes out, and only at its end: a claim and a mark then cost one row each. (A message is done
-- when it has left the states 'queued', 'claimed' and 'data'.)
CREATE INDEX messages_open ON messages (due_at, id) WHERE done_at IS NULL;

-- Tries that were not the last. The view below shows all.
CREATE TABLE attempts (
    message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    result TEXT NOT NULL,                -- 'accepted', 'retry', 'refused', 'in_doubt', 'cancelled'
    fault TEXT,
    detail TEXT NOT NULL,
    PRIMARY KEY (message_id, number)
) STRICT, WITHOUT ROWID;

CREATE VIEW attempt_log AS
    SELECT message_id, number, started_at, ended_at, result, fault, detail FROM attempts
    UNION ALL SELECT id, fence, last_started_at, done_at, last_result, fault, reply FROM messages WHERE last_result IS NOT NULL;

-- What a message's state does not say. The view below shows both.
CREATE TABLE outcomes (
    decision_id INTEGER NOT NULL REFERENCES decisions (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('bounced', 'unsubscribed', 'converted')),
    ref INTEGER NOT NULL,                    -- the order's id for 'converted', else 0
    at INTEGER NOT NULL,
    value_cents INTEGER,
    PRIMARY KEY (decision_id, kind, ref)
) STRICT, WITHOUT ROWID;

CREATE VIEW outcome_log AS
    SELECT decision_id, CASE state WHEN 'sent' THEN 'accepted' WHEN 'failed' THEN 'refused' ELSE 'in_doubt' END AS kind, 0 AS ref, done_at AS at,
           NULL AS value_cents
    FROM messages WHERE state IN ('sent', 'failed', 'in_doubt')
    UNION ALL SELECT decision_id, kind, ref, at, value_cents FROM outcomes;

CREATE TABLE vouchers (
    code TEXT NOT NULL,                  -- not unique: two that share one by chance must not stop a run
    decision_id INTEGER NOT NULL REFERENCES decisions (id) ON DELETE CASCADE,
    customer_id INTEGER NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    rule TEXT NOT NULL,
    percent INTEGER,
    amount_cents INTEGER,
    valid_until TEXT NOT NULL,           -- YYYY-MM-DD, the last good day
    created_at INTEGER NOT NULL,
    PRIMARY KEY (decision_id, code)
) STRICT, WITHOUT ROWID;
CREATE INDEX vouchers_by_code ON vouchers (code);

-- What belongs to this installation: the key that signs links.
CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

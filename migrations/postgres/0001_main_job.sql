-- The shop's data: who buys, what they said about being written to, what they ordered.
CREATE TABLE customers (
    id BIGINT NOT NULL PRIMARY KEY,
    external_id TEXT COLLATE "C" NOT NULL UNIQUE,
    email TEXT COLLATE "C",
    email_key TEXT COLLATE "C",                      -- lower case; suppressions are found by it
    first_name TEXT COLLATE "C",
    last_name TEXT COLLATE "C",
    birthday TEXT COLLATE "C",                       -- YYYY-MM-DD
    locale TEXT COLLATE "C",
    tags TEXT COLLATE "C" NOT NULL,                  -- JSON array of strings
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX customers_by_email ON customers (email_key);

CREATE TABLE consents (
    customer_id BIGINT NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    at BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('double_opt_in', 'single_opt_in', 'existing_customer', 'objected')),
    source TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (customer_id, at, kind, source)
);

CREATE TABLE suppressions (
    email_key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    reason TEXT COLLATE "C" NOT NULL,                -- a fault's word, or 'complaint', 'manual'
    at BIGINT NOT NULL
);

CREATE TABLE orders (
    id BIGINT NOT NULL PRIMARY KEY,
    external_id TEXT COLLATE "C" NOT NULL UNIQUE,
    customer_id BIGINT NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    ordered_at BIGINT NOT NULL,
    revenue_cents BIGINT NOT NULL,
    cost_cents BIGINT,
    currency TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL CHECK (status IN ('paid', 'open', 'cancelled')),
    voucher_code TEXT COLLATE "C",
    content_hash BIGINT NOT NULL,           -- of everything an import says about the order, lines included
    updated_at BIGINT NOT NULL
);
CREATE INDEX orders_by_customer ON orders (customer_id, ordered_at);

CREATE TABLE order_lines (
    order_id BIGINT NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    line_no BIGINT NOT NULL,
    sku TEXT COLLATE "C",
    name TEXT COLLATE "C",
    category TEXT COLLATE "C",
    quantity BIGINT NOT NULL,
    total_cents BIGINT,
    cost_cents BIGINT,
    PRIMARY KEY (order_id, line_no)
);

-- Figures about customers as of a moment.
CREATE TABLE scores (
    customer_id BIGINT NOT NULL PRIMARY KEY REFERENCES customers (id) ON DELETE CASCADE,
    as_of BIGINT NOT NULL,
    recency_days BIGINT NOT NULL,
    orders BIGINT NOT NULL,
    revenue_cents BIGINT NOT NULL,
    average_order_value_cents BIGINT NOT NULL,
    first_order_at BIGINT NOT NULL,
    last_order_at BIGINT NOT NULL,
    tenure_days BIGINT NOT NULL,
    r BIGINT NOT NULL,
    f BIGINT NOT NULL,
    m BIGINT NOT NULL,
    rfm BIGINT NOT NULL,
    rfm_weighted_e4 BIGINT NOT NULL,
    abc TEXT COLLATE "C" NOT NULL,
    revenue_rank BIGINT NOT NULL,
    top_percent BIGINT NOT NULL
);

CREATE TABLE score_runs (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,      -- 'latest'
    as_of BIGINT NOT NULL,
    customers BIGINT NOT NULL,
    borders TEXT COLLATE "C" NOT NULL,               -- JSON: where one bucket or class ends, to place a single customer between full runs
    stale BIGINT NOT NULL                   -- 1: facts changed in a way that only a full run shows
);

-- Rules that ran, and their runs.
CREATE TABLE rule_versions (
    rule TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    text TEXT COLLATE "C" NOT NULL,
    first_seen_at BIGINT NOT NULL,
    PRIMARY KEY (rule, hash)
);

CREATE TABLE rule_states (
    rule TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    hash TEXT COLLATE "C" NOT NULL,
    changed_at BIGINT NOT NULL              -- no run before it is made up for
);

CREATE TABLE ticks (
    rule TEXT COLLATE "C" NOT NULL,
    tick_at BIGINT NOT NULL,
    rule_hash TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    cursor_customer_id BIGINT NOT NULL,     -- customers up to here are decided
    PRIMARY KEY (rule, tick_at)
);
CREATE INDEX ticks_unfinished ON ticks (tick_at) WHERE finished_at IS NULL;

-- Who may do what only one daemon may do at a time.
CREATE TABLE leases (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner TEXT COLLATE "C" NOT NULL,
    until BIGINT NOT NULL                   -- by the machine's clock
);

-- What was decided, what left, what came of it.
CREATE TABLE decisions (
    id BIGINT NOT NULL PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    rule TEXT COLLATE "C" NOT NULL,
    occasion TEXT COLLATE "C" NOT NULL,
    slot TEXT COLLATE "C" NOT NULL,                  -- 'arm' for send and control: one per occasion, that is the promise; the reason for a refusal
    rule_hash TEXT COLLATE "C" NOT NULL,
    tick_at BIGINT NOT NULL,                -- the moment it was made for
    decided_at BIGINT NOT NULL,
    verdict TEXT COLLATE "C" NOT NULL CHECK (verdict IN ('send', 'control', 'refused')),
    variant TEXT COLLATE "C",
    detail TEXT COLLATE "C" NOT NULL,
    effective_at BIGINT NOT NULL,
    goal_until BIGINT,
    inputs TEXT COLLATE "C" NOT NULL,                -- JSON: what the rule saw
    times BIGINT NOT NULL,                  -- how often the same refusal came again for the same occasion
    last_at BIGINT NOT NULL,
    UNIQUE (customer_id, rule, occasion, slot),
    CHECK ((slot = 'arm') = (verdict <> 'refused')),
    CHECK ((variant IS NOT NULL) = (verdict = 'send'))
);
CREATE INDEX decisions_by_goal ON decisions (goal_until) WHERE goal_until IS NOT NULL;
CREATE INDEX decisions_by_rule ON decisions (rule, verdict);

CREATE TABLE messages (
    id BIGINT NOT NULL PRIMARY KEY,
    decision_id BIGINT NOT NULL UNIQUE REFERENCES decisions (id) ON DELETE CASCADE,
    customer_id BIGINT NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    rule TEXT COLLATE "C" NOT NULL,
    variant TEXT COLLATE "C" NOT NULL,
    occasion TEXT COLLATE "C" NOT NULL,
    channel TEXT COLLATE "C" NOT NULL CHECK (channel IN ('email', 'webhook')),
    basis TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,                -- JSON
    body TEXT COLLATE "C",                           -- a webhook's exact bytes
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('queued', 'claimed', 'data', 'sent', 'failed', 'in_doubt', 'cancelled')),
    due_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    fence BIGINT NOT NULL,                  -- grows with each claim
    lease_owner TEXT COLLATE "C",
    lease_until BIGINT,                     -- by the machine's clock
    done_at BIGINT,
    fault TEXT COLLATE "C",
    reply TEXT COLLATE "C",
    last_started_at BIGINT,              -- of the try that ended it; those before it are in `attempts`
    last_result TEXT COLLATE "C",
    UNIQUE (customer_id, rule, occasion),
    CHECK ((state IN ('claimed', 'data')) = (lease_until IS NOT NULL)),
    CHECK ((state IN ('sent', 'failed', 'in_doubt', 'cancelled')) = (done_at IS NOT NULL))
) WITH (fillfactor = 40);   -- room for the claimed and the marked version of a row beside it
-- The only index whose columns change while a message goes out, and only at its end: a claim and a mark then cost one row each. (A message is done
-- when it has left the states 'queued', 'claimed' and 'data'.)
CREATE INDEX messages_open ON messages (due_at, id) WHERE done_at IS NULL;

-- Tries that were not the last. The view below shows all.
CREATE TABLE attempts (
    message_id BIGINT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    result TEXT COLLATE "C" NOT NULL,                -- 'accepted', 'retry', 'refused', 'in_doubt', 'cancelled'
    fault TEXT COLLATE "C",
    detail TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (message_id, number)
);

CREATE VIEW attempt_log AS
    SELECT message_id, number, started_at, ended_at, result, fault, detail FROM attempts
    UNION ALL SELECT id, fence, last_started_at, done_at, last_result, fault, reply FROM messages WHERE last_result IS NOT NULL;

-- What a message's state does not say. The view below shows both.
CREATE TABLE outcomes (
    decision_id BIGINT NOT NULL REFERENCES decisions (id) ON DELETE CASCADE,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('bounced', 'unsubscribed', 'converted')),
    ref BIGINT NOT NULL,                    -- the order's id for 'converted', else 0
    at BIGINT NOT NULL,
    value_cents BIGINT,
    PRIMARY KEY (decision_id, kind, ref)
);

CREATE VIEW outcome_log AS
    SELECT decision_id, CASE state WHEN 'sent' THEN 'accepted' WHEN 'failed' THEN 'refused' ELSE 'in_doubt' END AS kind, 0 AS ref, done_at AS at,
           NULL AS value_cents
    FROM messages WHERE state IN ('sent', 'failed', 'in_doubt')
    UNION ALL SELECT decision_id, kind, ref, at, value_cents FROM outcomes;

CREATE TABLE vouchers (
    code TEXT COLLATE "C" NOT NULL,                  -- not unique: two that share one by chance must not stop a run
    decision_id BIGINT NOT NULL REFERENCES decisions (id) ON DELETE CASCADE,
    customer_id BIGINT NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    rule TEXT COLLATE "C" NOT NULL,
    percent BIGINT,
    amount_cents BIGINT,
    valid_until TEXT COLLATE "C" NOT NULL,           -- YYYY-MM-DD, the last good day
    created_at BIGINT NOT NULL,
    PRIMARY KEY (decision_id, code)
);
CREATE INDEX vouchers_by_code ON vouchers (code);

-- What belongs to this installation: the key that signs links.
CREATE TABLE settings (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);

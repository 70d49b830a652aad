-- The brake against a mass mis-send: what was written when, which runs are held and what a person said.
ALTER TABLE ticks ADD COLUMN messages BIGINT NOT NULL DEFAULT 0;    -- decided so far in this run
ALTER TABLE ticks ADD COLUMN reached BIGINT NOT NULL DEFAULT 0;     -- the same and people held out
-- Otherwise what was usual until today would count as nothing, and every run would be held.
UPDATE ticks SET messages = found.messages, reached = found.reached
    FROM (SELECT rule, tick_at, SUM(CASE verdict WHEN 'send' THEN 1 ELSE 0 END) AS messages, COUNT(*) AS reached
          FROM decisions WHERE slot = 'arm' GROUP BY rule, tick_at) AS found
    WHERE found.rule = ticks.rule AND found.tick_at = ticks.tick_at;

-- What was decided in each hour of the shop's calendar, so that nobody has to count the log.
CREATE TABLE tallies (
    hour_at BIGINT NOT NULL,                -- when the hour began
    rule TEXT COLLATE "C" NOT NULL,
    messages BIGINT NOT NULL,
    voucher_cents BIGINT NOT NULL,          -- what their vouchers may cost
    PRIMARY KEY (hour_at, rule)
);

CREATE TABLE holds (
    id BIGINT NOT NULL PRIMARY KEY,
    rule TEXT COLLATE "C" NOT NULL,
    tick_at BIGINT NOT NULL,
    rule_hash TEXT COLLATE "C" NOT NULL,                 -- the version that a person is asked about
    guard TEXT COLLATE "C" NOT NULL CHECK (guard IN ('norm', 'percent', 'rule_hour', 'rule_day', 'rule_vouchers', 'shop_hour', 'shop_day', 'shop_vouchers')),
    most BIGINT NOT NULL,                   -- messages, or cents of vouchers
    norm BIGINT,                            -- messages a day
    today BIGINT NOT NULL,                  -- messages of the rule's other runs of the day, where the day counts
    customers BIGINT NOT NULL,              -- that there were
    written BIGINT NOT NULL,                -- messages of the run before it was held
    waiting BIGINT NOT NULL,                -- messages that the rest of the run would write
    held_at BIGINT NOT NULL,
    until_at BIGINT,                        -- NULL: until a person answers
    goes_on BIGINT NOT NULL,                -- what happens then: 1 the run goes on, 0 the rest is discarded
    ended_at BIGINT,
    ended_how TEXT COLLATE "C" CHECK (ended_how IN ('released', 'discarded', 'expired', 'went_on')),
    ended_by TEXT COLLATE "C",                           -- who, when a person did
    CHECK ((ended_at IS NULL) = (ended_how IS NULL))
);
-- While a run of a rule is held no other one begins.
CREATE UNIQUE INDEX holds_open ON holds (rule) WHERE ended_at IS NULL;
CREATE INDEX holds_by_run ON holds (rule, tick_at);

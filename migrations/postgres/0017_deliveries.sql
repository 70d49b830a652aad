-- A message is written once and long; where it stands changes with claim, mark and end, and is short. In one row each of these changes wrote the whole message
-- anew, and its end three indexes besides.
CREATE TABLE deliveries (
    message_id BIGINT NOT NULL PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    channel TEXT COLLATE "C" NOT NULL,               -- the message's, and its rule: a claim goes by them
    rule TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('queued', 'claimed', 'data', 'sent', 'failed', 'in_doubt', 'cancelled')),
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    fence BIGINT NOT NULL,                  -- grows with each claim
    lease_owner TEXT COLLATE "C",
    lease_until BIGINT,                     -- by the machine's clock
    done_at BIGINT,
    fault TEXT COLLATE "C",
    reply TEXT COLLATE "C",
    last_started_at BIGINT,                 -- of the try that ended it; those before it are in `attempts`
    last_result TEXT COLLATE "C",
    CHECK ((state IN ('claimed', 'data')) = (lease_until IS NOT NULL)),
    CHECK ((state IN ('sent', 'failed', 'in_doubt', 'cancelled')) = (done_at IS NOT NULL))
) WITH (fillfactor = 40);   -- room for the claimed version of a row and its end beside it
INSERT INTO deliveries (message_id, channel, rule, state, due_at, attempts, fence, lease_owner, lease_until, done_at, fault, reply, last_started_at, last_result)
    SELECT id, channel, rule, state, due_at, attempts, fence, lease_owner, lease_until, done_at, fault, reply, last_started_at, last_result
    FROM messages ORDER BY id;
-- The only index whose columns change while a message goes out, and only at its end: a claim and a mark then cost one row each. (A message is done
-- when it has left the states 'queued', 'claimed' and 'data'.)
CREATE INDEX deliveries_open ON deliveries (due_at, message_id) WHERE done_at IS NULL;

DROP VIEW attempt_log;
DROP VIEW outcome_log;
-- The index and the checks of these columns go with them.
ALTER TABLE messages DROP COLUMN state, DROP COLUMN due_at, DROP COLUMN attempts, DROP COLUMN fence, DROP COLUMN lease_owner, DROP COLUMN lease_until,
    DROP COLUMN done_at, DROP COLUMN fault, DROP COLUMN reply, DROP COLUMN last_started_at, DROP COLUMN last_result;
ALTER TABLE messages RESET (fillfactor);
-- No message without its delivery, which would never be sent nor missed: asked at COMMIT, as each of the two names the other.
ALTER TABLE messages ADD FOREIGN KEY (id) REFERENCES deliveries (message_id) DEFERRABLE INITIALLY DEFERRED;

CREATE VIEW attempt_log AS
    SELECT message_id, number, started_at, ended_at, result, fault, detail FROM attempts
    UNION ALL SELECT message_id, fence, last_started_at, done_at, last_result, fault, reply FROM deliveries WHERE last_result IS NOT NULL;

CREATE VIEW outcome_log AS
    SELECT m.decision_id, CASE d.state WHEN 'sent' THEN 'accepted' WHEN 'failed' THEN 'refused' ELSE 'in_doubt' END AS kind, 0 AS ref, d.done_at AS at,
           NULL AS value_cents
    FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE d.state IN ('sent', 'failed', 'in_doubt')
    UNION ALL SELECT decision_id, kind, ref, at, value_cents FROM outcomes;

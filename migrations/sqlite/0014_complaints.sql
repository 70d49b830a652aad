-- Somebody called a message spam: an outcome of its decision too. SQLite changes a check only with the table.
DROP VIEW outcome_log;

CREATE TABLE outcomes_too (
    decision_id INTEGER NOT NULL REFERENCES decisions (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('bounced', 'unsubscribed', 'complained', 'converted')),
    ref INTEGER NOT NULL,                    -- the order's id for 'converted', the event's for 'complained', else 0
    at INTEGER NOT NULL,
    value_cents INTEGER,
    PRIMARY KEY (decision_id, kind, ref)
) STRICT, WITHOUT ROWID;
INSERT INTO outcomes_too (decision_id, kind, ref, at, value_cents) SELECT decision_id, kind, ref, at, value_cents FROM outcomes;
DROP TABLE outcomes;
ALTER TABLE outcomes_too RENAME TO outcomes;

CREATE VIEW outcome_log AS
    SELECT decision_id, CASE state WHEN 'sent' THEN 'accepted' WHEN 'failed' THEN 'refused' ELSE 'in_doubt' END AS kind, 0 AS ref, done_at AS at,
           NULL AS value_cents
    FROM messages WHERE state IN ('sent', 'failed', 'in_doubt')
    UNION ALL SELECT decision_id, kind, ref, at, value_cents FROM outcomes;

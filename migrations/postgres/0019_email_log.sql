-- Emails that somebody got or is about to get. They count from the moment that they were decided for, as rules of one moment see each other's messages; those that were
-- decided more than half an hour late (the run was missed, held, or cut by a limit) from when that was done (`LATE_MS` in src/model/decision.rs).
CREATE VIEW email_log AS
    SELECT m.customer_id, m.decision_id, d.rule, m.basis, s.state, d.tick_at,
           CASE WHEN d.decided_at > d.tick_at + 1800000 THEN d.decided_at ELSE d.tick_at END AS at
    FROM messages m JOIN decisions d ON d.id = m.decision_id JOIN deliveries s ON s.message_id = m.id WHERE m.channel = 'email';

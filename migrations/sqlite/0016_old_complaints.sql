-- Complaints that were imported before complaints made objections make them now. As an import does it: from then on, and not later than the import. A date without
-- a time (a whole quarter of an hour: time zones begin their days so) means all of that day. Everybody with the address has complained.
WITH complaints AS (
    SELECT customer_id, at, updated_at FROM events WHERE kind = 'complaint'
    UNION SELECT k.id, e.at, e.updated_at FROM events e JOIN customers c ON c.id = e.customer_id JOIN customers k ON k.email_key = c.email_key
    WHERE e.kind = 'complaint'
)
INSERT INTO consents (customer_id, at, kind, source)
SELECT DISTINCT e.customer_id,
    CASE WHEN e.at % 900000 <> 0 AND e.at < e.updated_at THEN e.at
         WHEN e.at % 900000 = 0 AND e.at + 86399999 < e.updated_at THEN e.at + 86399999
         ELSE e.updated_at END,
    'objected', 'complaint'
FROM complaints e
WHERE NOT EXISTS (
    SELECT 1 FROM consents o WHERE o.customer_id = e.customer_id AND o.kind = 'objected' AND o.source = 'complaint' AND o.at >= e.at AND o.at <= e.at + 90000000
)
ON CONFLICT DO NOTHING;

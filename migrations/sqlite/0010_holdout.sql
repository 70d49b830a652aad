-- Held out from all rules: which decisions were made while a share of all customers was, and since when it has been which share.
ALTER TABLE decisions ADD COLUMN holdout INTEGER CHECK (holdout IN (0, 1));  -- 1: held out from all rules, 0: not, NULL: nobody was then, or an order mail

-- Each change of what is configured, as the runs met it.
CREATE TABLE holdouts (
    id INTEGER NOT NULL PRIMARY KEY,
    since_at INTEGER NOT NULL,
    seed TEXT NOT NULL,
    percent INTEGER NOT NULL                 -- of all customers; 0: nobody
) STRICT;

-- Orders and the voucher of ours that each used: of two that share a code by chance the customer's own, else the newest. A day's slack: orders may come with a date alone. What was
-- paid is what the percentage left; of 100 % nothing is left, so it is what the customer usually pays. A cross join because SQLite takes it in this order: it would read all orders first.
CREATE VIEW redemptions AS
    SELECT order_id, ordered_at, decision_id, customer_id, worth FROM (
        SELECT o.id AS order_id, o.ordered_at AS ordered_at, v.decision_id AS decision_id, v.customer_id AS customer_id,
               CASE WHEN v.percent IS NULL THEN CAST(v.amount_cents AS DOUBLE PRECISION)
                    WHEN v.percent < 100 THEN CAST(o.revenue_cents AS DOUBLE PRECISION) * v.percent / (100 - v.percent)
                    ELSE COALESCE((SELECT AVG(CAST(a.revenue_cents AS DOUBLE PRECISION)) FROM orders a
                                   WHERE a.customer_id = o.customer_id AND a.status = 'paid' AND a.id <> o.id), 0.0) END AS worth,
               ROW_NUMBER() OVER (PARTITION BY o.id ORDER BY CASE WHEN v.customer_id = o.customer_id THEN 0 ELSE 1 END, v.created_at DESC, v.decision_id) AS place
        FROM vouchers v CROSS JOIN orders o WHERE o.voucher_code = v.code AND o.ordered_at > v.created_at - 86400000 AND o.status = 'paid') found
    WHERE place = 1;

-- What a customer's purchases let expect. NULL: not known.
ALTER TABLE scores ADD COLUMN typical_gap_e1 BIGINT;                -- median days between purchase days, times 10
ALTER TABLE scores ADD COLUMN next_order_in_days BIGINT;            -- negative: late
ALTER TABLE scores ADD COLUMN churn_risk_e2 BIGINT;                 -- percent, times 100
ALTER TABLE scores ADD COLUMN expected_orders_365_e4 BIGINT;        -- times 10,000
ALTER TABLE scores ADD COLUMN expected_order_value_cents BIGINT;
ALTER TABLE scores ADD COLUMN clv_12m_cents BIGINT;
-- The scores that are there do not have them.
UPDATE score_runs SET stale = 1;

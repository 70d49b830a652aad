-- What a customer's purchases let expect. NULL: not known.
ALTER TABLE scores ADD COLUMN typical_gap_e1 INTEGER;                -- median days between purchase days, times 10
ALTER TABLE scores ADD COLUMN next_order_in_days INTEGER;            -- negative: late
ALTER TABLE scores ADD COLUMN churn_risk_e2 INTEGER;                 -- percent, times 100
ALTER TABLE scores ADD COLUMN expected_orders_365_e4 INTEGER;        -- times 10,000
ALTER TABLE scores ADD COLUMN expected_order_value_cents INTEGER;
ALTER TABLE scores ADD COLUMN clv_12m_cents INTEGER;
-- The scores that are there do not have them.
UPDATE score_runs SET stale = 1;

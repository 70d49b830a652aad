-- The shop's key of the customer who brought this one.
ALTER TABLE customers ADD COLUMN referred_by TEXT COLLATE "C";
CREATE INDEX customers_by_referrer ON customers (referred_by) WHERE referred_by IS NOT NULL;

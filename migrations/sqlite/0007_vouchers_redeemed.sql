-- Which orders used a voucher of ours: the report deducts what was redeemed.
CREATE INDEX orders_by_voucher ON orders (voucher_code) WHERE voucher_code IS NOT NULL;

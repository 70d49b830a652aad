-- Who ordered lately, by days and in the order of a walk: a rule about today's orders finds them without looking through everybody (src/store/filter/sql.rs names it).
CREATE INDEX scores_lately ON scores (recency_days, customer_id) WHERE recency_days <= 7;

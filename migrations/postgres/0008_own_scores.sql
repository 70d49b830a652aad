-- The shop's own scores (scores/*.rhai): one row for each customer and score that is known. One of the three values is there: a number times 1,000,000,
-- 1 or 0 for true or false, or words.
CREATE TABLE own_scores (
    customer_id BIGINT NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    number_e6 BIGINT,
    flag BIGINT,
    words TEXT COLLATE "C",
    PRIMARY KEY (customer_id, name)
);
-- The scores' hash; values of other texts are not values of these.
ALTER TABLE score_runs ADD COLUMN own TEXT COLLATE "C" NOT NULL DEFAULT '';

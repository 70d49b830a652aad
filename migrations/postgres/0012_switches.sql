-- Rules whose traffic went to the variant that won. One row for each experiment: other variants or another key are another one.
CREATE TABLE switches (
    rule TEXT COLLATE "C" NOT NULL,
    experiment TEXT COLLATE "C" NOT NULL,
    variants TEXT COLLATE "C" NOT NULL,                  -- JSON array of their names, in the rule's order
    winner TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,                     -- the run that it happened with
    rule_hash TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (rule, experiment, variants)
);

-- 1: made after a switch: it says nothing about the variants any more.
ALTER TABLE decisions ADD COLUMN switched BIGINT CHECK (switched = 1);

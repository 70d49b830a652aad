-- Rules whose traffic went to the variant that won. One row for each experiment: other variants or another key are another one.
CREATE TABLE switches (
    rule TEXT NOT NULL,
    experiment TEXT NOT NULL,
    variants TEXT NOT NULL,                  -- JSON array of their names, in the rule's order
    winner TEXT NOT NULL,
    at INTEGER NOT NULL,                     -- the run that it happened with
    rule_hash TEXT NOT NULL,
    PRIMARY KEY (rule, experiment, variants)
) STRICT, WITHOUT ROWID;

-- 1: made after a switch: it says nothing about the variants any more.
ALTER TABLE decisions ADD COLUMN switched INTEGER CHECK (switched = 1);

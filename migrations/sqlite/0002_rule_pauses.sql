-- Rules that begin no run and send nothing for the time being: a person's brake, or the rule's own after too many failures. Those that are over are kept.
CREATE TABLE rule_pauses (
    id INTEGER NOT NULL PRIMARY KEY,
    rule TEXT NOT NULL,
    paused_at INTEGER NOT NULL,
    paused_by TEXT NOT NULL,                 -- who; empty: the rule itself, or somebody who did not say
    hash TEXT,                               -- the version that failed too often: another one ends the pause; NULL: a person's pause, which only a person ends
    reason TEXT NOT NULL,
    resumed_at INTEGER,                      -- NULL: paused still; no run before it is made up for
    resumed_by TEXT,
    CHECK ((resumed_at IS NULL) = (resumed_by IS NULL))
) STRICT;
CREATE UNIQUE INDEX rule_pauses_open ON rule_pauses (rule) WHERE resumed_at IS NULL;

-- The class among customers of the same age. NULL: not known.
ALTER TABLE scores ADD COLUMN abc_adjusted TEXT CHECK (abc_adjusted IN ('A', 'B', 'C'));
-- The scores that are there do not have it.
UPDATE score_runs SET stale = 1;

-- Ids of the customers whose facts have changed since a full run began to compute, with a space after each; NULL: no run computes, or what it computes
-- will not do.
ALTER TABLE score_runs ADD COLUMN refreshed TEXT COLLATE "C";
-- Grows when a run ends, and when the facts of many change: what was begun before that will not do.
ALTER TABLE score_runs ADD COLUMN fence BIGINT NOT NULL DEFAULT 0;

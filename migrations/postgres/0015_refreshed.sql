-- Ids of the customers whose scores were refreshed since a full run began to compute, with a space after each; NULL: no run computes, or what it computes
-- will not do.
ALTER TABLE score_runs ADD COLUMN refreshed TEXT COLLATE "C";

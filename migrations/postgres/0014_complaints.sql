-- Somebody called a message spam: an outcome of its decision too; `ref` is the event's id.
ALTER TABLE outcomes DROP CONSTRAINT outcomes_kind_check;
ALTER TABLE outcomes ADD CONSTRAINT outcomes_kind_check CHECK (kind IN ('bounced', 'unsubscribed', 'complained', 'converted'));

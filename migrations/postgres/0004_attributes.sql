-- Own facts that the shop declares in [attributes]: one JSON object.
ALTER TABLE customers ADD COLUMN attributes TEXT COLLATE "C" NOT NULL DEFAULT '{}';

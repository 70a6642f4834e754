-- How many of the rejected ones came under an id that stands for another message: an alarm, unlike other bad input.
ALTER TABLE counts ADD COLUMN reused_ids bigint NOT NULL DEFAULT 0;

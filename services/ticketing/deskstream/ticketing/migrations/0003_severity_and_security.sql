-- What lists of issues are narrowed down by.

ALTER TABLE issues ADD COLUMN severity text NOT NULL DEFAULT 'medium';
ALTER TABLE issues ADD COLUMN security text NOT NULL DEFAULT 'no';

UPDATE issues
SET severity = coalesce(state::json #>> '{facts,severity}', 'medium'),
    security = coalesce(state::json #>> '{facts,security}', 'no');

-- The issues of an account are found by its tickets.
CREATE INDEX weights_by_ticket ON weights (ticket_id);

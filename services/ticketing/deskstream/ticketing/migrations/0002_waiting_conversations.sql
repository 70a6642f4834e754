-- Conversations that wait for an issue without a ticket between them, so that the chain is found from their end, too.

CREATE TABLE issue_waiters (
    issue_id uuid   NOT NULL,
    number   bigint NOT NULL,
    PRIMARY KEY (issue_id, number)
);

CREATE INDEX issue_waiters_by_number ON issue_waiters (number);

INSERT INTO issue_waiters (issue_id, number)
SELECT DISTINCT i.id, (watcher -> 0 ->> 'number')::bigint
FROM issues i
CROSS JOIN json_array_elements(coalesce(i.state::json -> 'watchers', '[]')) AS watcher;

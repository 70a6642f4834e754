-- The names of issues that no customer may read of (W12): numbers, ids, digests of links; no word of any issue.

CREATE TABLE confidential_names (
    issue_id uuid NOT NULL,
    name     text NOT NULL,
    PRIMARY KEY (issue_id, name)
);

CREATE INDEX confidential_names_by_name ON confidential_names (name);

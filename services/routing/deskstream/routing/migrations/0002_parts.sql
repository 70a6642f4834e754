-- Who stands behind the parts of the product, for teams whose structure asks them first.

ALTER TABLE teams ADD COLUMN planned_owners boolean NOT NULL DEFAULT false;

-- The number of the part that a conversation is about.
ALTER TABLE assignments ADD COLUMN part bigint;

CREATE TABLE parts (
    id            uuid    PRIMARY KEY,
    number        bigint  NOT NULL,
    name          text    NOT NULL,
    parent        uuid,
    maturity      text    NOT NULL,
    owners        text[]  NOT NULL,
    first_expert  text,
    second_expert text,
    deleted       boolean NOT NULL
);

-- Who works here, what each conversation weighs for whom, and by which rules conversations are sent to people.

-- One row. Whoever decides about owners or rules holds it until commit: choosing needs to see everybody's load.
CREATE TABLE desk (
    id            boolean PRIMARY KEY DEFAULT true CHECK (id),
    rules_version bigint  NOT NULL DEFAULT 0
);

INSERT INTO desk DEFAULT VALUES;

CREATE TABLE teams (
    id        text PRIMARY KEY,
    structure text NOT NULL
);

INSERT INTO teams (id, structure) VALUES ('support', 'chaos');

-- `load` is the sum of the weights of what the agent owns; every statement that changes assignments moves it along.
CREATE TABLE agents (
    id           text    PRIMARY KEY,
    name         text    NOT NULL,
    email        text,
    team         text    NOT NULL REFERENCES teams (id),
    availability text    NOT NULL,
    capacity     integer NOT NULL CHECK (capacity >= 0),
    load         bigint  NOT NULL
) WITH (fillfactor = 70);

-- An owner need not be in `agents`: somebody may answer whom routing was never told of.
CREATE TABLE assignments (
    conversation_id uuid        PRIMARY KEY,
    number          bigint      NOT NULL,
    stage           text        NOT NULL,
    weight          integer     NOT NULL,
    priority        smallint    NOT NULL,
    since           timestamptz NOT NULL,
    choice          smallint,
    owner           text,
    team            text,
    handoffs        integer     NOT NULL,
    routed          boolean     NOT NULL,
    held            text        NOT NULL
) WITH (fillfactor = 85);

-- The queues, in order.
CREATE INDEX assignments_waiting ON assignments (team, priority, since, number)
    WHERE owner IS NULL AND routed AND stage IN ('new', 'needs_response');

CREATE INDEX assignments_by_number ON assignments (number);

-- Every version of every rule, as JSON; a rule holds as its highest version says.
CREATE TABLE rule_versions (
    rule_id uuid        NOT NULL,
    version bigint      NOT NULL,
    name    text        NOT NULL,
    removed boolean     NOT NULL,
    rule    text        NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (rule_id, version)
);

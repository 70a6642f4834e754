-- Tickets, issues and parts, each one JSON document, with columns for what is searched.

-- Taken when something unknown is asked for; gaps are allowed.
CREATE SEQUENCE ticket_numbers;
CREATE SEQUENCE issue_numbers;
CREATE SEQUENCE part_numbers;

CREATE TABLE parts (
    id            uuid    PRIMARY KEY,
    number        bigint  NOT NULL UNIQUE,
    parent        uuid    REFERENCES parts (id),
    kind          text    NOT NULL,
    deleted       boolean NOT NULL,
    default_since bigint,
    tickets       integer NOT NULL,
    customers     integer NOT NULL,
    state         text    NOT NULL
) WITH (fillfactor = 85);

CREATE INDEX parts_by_parent ON parts (parent);
CREATE INDEX parts_default ON parts (default_since) WHERE default_since IS NOT NULL;

-- Which part is the default one follows from the highest of these.
CREATE SEQUENCE part_defaults;

-- Intake that names no part needs one from the first moment on (W1); rename it, or make another one the default.
INSERT INTO parts (id, number, kind, deleted, default_since, tickets, customers, state)
SELECT
    '4d0b6f0e-6f0c-5b8a-9a0e-2f1d5a3c7e11', nextval('part_numbers'), 'product', false, nextval('part_defaults'), 0, 0,
    '{"facts":{"id":"4d0b6f0e-6f0c-5b8a-9a0e-2f1d5a3c7e11","number":1,"version":0,"name":"Product","kind":"product",'
    '"default":true}}';

CREATE TABLE tickets (
    id       uuid    PRIMARY KEY,
    number   bigint  NOT NULL,
    stage    text    NOT NULL,
    -- 0 untriaged, 1 triaged, 2 closed; solved ones are triaged no more and not yet locked: closed.
    triage   smallint NOT NULL,
    -- 0 solved or ended, 1 active, 2 in need of engineers.
    tracker  smallint NOT NULL,
    type     text    NOT NULL,
    severity text    NOT NULL,
    part_id  uuid    NOT NULL,
    owner    text,
    account  uuid,
    contact  uuid,
    internal boolean NOT NULL,
    deleted  boolean NOT NULL,
    state    text    NOT NULL
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX tickets_by_number ON tickets (number);
CREATE INDEX tickets_by_tracker ON tickets (tracker, number) WHERE tracker > 0 AND NOT deleted;
CREATE INDEX tickets_by_triage ON tickets (triage, number) WHERE NOT deleted;
CREATE INDEX tickets_by_part ON tickets (part_id, number) WHERE NOT deleted;
CREATE INDEX tickets_by_owner ON tickets (owner, number) WHERE owner IS NOT NULL AND NOT deleted;
CREATE INDEX tickets_by_account ON tickets (account, number) WHERE account IS NOT NULL AND NOT deleted;
CREATE INDEX tickets_by_contact ON tickets (contact, number) WHERE contact IS NOT NULL AND NOT deleted;

CREATE TABLE ticket_conversations (
    ticket_id       uuid   NOT NULL,
    conversation_id uuid   NOT NULL,
    number          bigint NOT NULL,
    PRIMARY KEY (ticket_id, conversation_id)
);

CREATE INDEX ticket_conversations_by_conversation ON ticket_conversations (conversation_id);
CREATE INDEX ticket_conversations_by_number ON ticket_conversations (number);

CREATE TABLE issues (
    id        uuid    PRIMARY KEY,
    number    bigint  NOT NULL UNIQUE,
    stage     text    NOT NULL,
    part_id   uuid    NOT NULL,
    owner     text,
    duplicate_of uuid,
    tickets   integer NOT NULL,
    customers integer NOT NULL,
    deleted   boolean NOT NULL,
    state     text    NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX issues_by_part ON issues (part_id) WHERE NOT deleted;
CREATE INDEX issues_by_weight ON issues (tickets, customers, number) WHERE NOT deleted;

-- Tickets that hang on an issue or on an enhancement.
CREATE TABLE weights (
    object_id uuid    NOT NULL,
    ticket_id uuid    NOT NULL,
    customer  text    NOT NULL,
    answered  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (object_id, ticket_id)
);

CREATE TABLE issue_relations (
    issue_id uuid NOT NULL,
    kind     text NOT NULL,
    other_id uuid NOT NULL,
    PRIMARY KEY (issue_id, kind, other_id)
);

CREATE INDEX issue_relations_by_other ON issue_relations (other_id, kind);

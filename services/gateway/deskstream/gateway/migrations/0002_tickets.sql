-- Tickets as vistas list them, and the names of the parts that they hang on; written by the same projector.

-- One row a ticket, from its last event on events.ticketing. Times to sort by are microseconds since 1970.
CREATE TABLE tickets (
    ticket_id   uuid     PRIMARY KEY,
    seq         bigint   NOT NULL,
    number      bigint   NOT NULL,
    stage       text     NOT NULL,
    -- 0 untriaged, 1 triaged, 2 closed
    triage      smallint NOT NULL,
    -- 0 none, 1 active, 2 product assist
    tracker     smallint NOT NULL,
    type        text     NOT NULL,
    severity    smallint NOT NULL,
    part_id     uuid     NOT NULL,
    -- no owner is the empty text, which an index can order by
    owner       text     NOT NULL,
    account_id  uuid,
    contact_id  uuid,
    deleted     boolean  NOT NULL,
    updated     bigint   NOT NULL,
    closed      bigint,
    -- When an agent last answered its customer.
    told        bigint,
    facts       text     NOT NULL,

    -- Whether the customer was answered since it was closed (R11).
    is_told     boolean GENERATED ALWAYS AS (closed IS NOT NULL AND told IS NOT NULL AND told >= closed) STORED,
    -- The gravest first, and of these the newest.
    gravity     bigint GENERATED ALWAYS AS ((3 - severity) * 1099511627776 + number) STORED
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);

CREATE UNIQUE INDEX tickets_by_number ON tickets (number);
CREATE INDEX tickets_by_update ON tickets (updated, ticket_id) WHERE NOT deleted;
CREATE INDEX tickets_by_closing ON tickets (closed, ticket_id) WHERE NOT deleted AND closed IS NOT NULL;
CREATE INDEX tickets_by_gravity ON tickets (gravity, ticket_id) WHERE NOT deleted;
CREATE INDEX tickets_by_triage ON tickets (triage, number) WHERE NOT deleted;
CREATE INDEX tickets_by_tracker ON tickets (tracker, number) WHERE NOT deleted;
CREATE INDEX tickets_by_owner ON tickets (owner, number) WHERE NOT deleted;
CREATE INDEX tickets_by_account ON tickets (account_id, number) WHERE NOT deleted AND account_id IS NOT NULL;
CREATE INDEX tickets_by_contact ON tickets (contact_id, number) WHERE NOT deleted AND contact_id IS NOT NULL;
CREATE INDEX tickets_by_part ON tickets (part_id, stage, number) WHERE NOT deleted;
-- The board counts from this alone; what is closed is nine tenths of all.
CREATE INDEX tickets_open_by_part ON tickets (part_id, stage) WHERE NOT deleted AND triage < 2;

-- A ticket carries its part's name as it was; the row here has it as it is.
CREATE TABLE parts (
    part_id uuid    PRIMARY KEY,
    seq     bigint  NOT NULL,
    number  bigint  NOT NULL,
    parent  uuid,
    name    text    NOT NULL,
    kind    text    NOT NULL,
    deleted boolean NOT NULL
);

CREATE INDEX parts_by_parent ON parts (parent);

-- Its name is older than tickets, and the release before writes it.
COMMENT ON COLUMN feed.conversation_id IS 'The object that the event is about: conversation, ticket, issue or part.';

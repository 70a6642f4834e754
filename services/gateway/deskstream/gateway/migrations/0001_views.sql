-- The inbox view and the feed: what is read, written by one projector from the events of three services.

-- One row a conversation. Each group of columns belongs to one lane (or one clock) and carries the sequence of the
-- last event it was taken from, so that groups may come in any order and none goes back.
CREATE TABLE inbox (
    conversation_id  uuid        PRIMARY KEY,
    updated_at       timestamptz NOT NULL,

    -- events.conversation: the state after its last event, whole in facts, extracted where the list looks
    conversation_seq bigint      NOT NULL,
    number           bigint,
    stage            text,
    kind             text,
    channel          text,
    inbox            text,
    account_id       uuid,
    created_at       timestamptz,
    hidden_until     timestamptz,
    unanswered       bigint,
    priority_said    smallint,
    facts            text,

    -- events.conversation: the priority a person chose
    choice_seq       bigint      NOT NULL,
    priority_chosen  smallint,

    -- events.routing; no owner is the empty text, which an index can order by
    routing_seq      bigint      NOT NULL,
    owner            text        NOT NULL,
    priority_routed  smallint,
    routed           text,

    -- events.sla, a group for each clock; times to sort by are microseconds since 1970
    first_seq        bigint      NOT NULL,
    first_due        bigint,
    first_clock      text,
    next_seq         bigint      NOT NULL,
    next_due         bigint,
    next_clock       text,

    priority         smallint GENERATED ALWAYS AS (COALESCE(priority_chosen, priority_routed, priority_said)) STORED,

    -- The time to due, moved ahead by priority: 4 h urgent, 1 h high, one back for low. Whom nobody keeps waiting
    -- comes last, in the year 10000.
    urgency          bigint GENERATED ALWAYS AS (
        COALESCE(LEAST(first_due, next_due), unanswered, 253402300800000000)
        - CASE COALESCE(priority_chosen, priority_routed, priority_said)
            WHEN 0 THEN 14400000000
            WHEN 1 THEN 3600000000
            WHEN 3 THEN -3600000000
            ELSE 0
        END
    ) STORED
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);

CREATE UNIQUE INDEX inbox_by_number ON inbox (number);

-- A row whose conversation was not heard of yet has no stage, and is in none of these.
CREATE INDEX inbox_by_urgency ON inbox (urgency, conversation_id) WHERE stage <> 'suspended';
CREATE INDEX inbox_by_receipt ON inbox (created_at, conversation_id) WHERE stage <> 'suspended';
CREATE INDEX inbox_by_update ON inbox (updated_at, conversation_id) WHERE stage <> 'suspended';
CREATE INDEX inbox_by_stage ON inbox (stage, urgency, conversation_id);
CREATE INDEX inbox_by_owner ON inbox (owner, urgency, conversation_id) WHERE stage <> 'suspended';
CREATE INDEX inbox_by_account ON inbox (account_id, created_at, conversation_id) WHERE account_id IS NOT NULL;

-- Everything said about conversations, in the order it was projected: the live stream reads it by id, a conversation's
-- timeline by conversation. summary is small and goes to every listener; body is all that was said.
CREATE TABLE feed (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL,
    service         text        NOT NULL,
    event           text        NOT NULL,
    conversation_id uuid        NOT NULL,
    sequence        bigint      NOT NULL,
    number          bigint      NOT NULL,
    actor           text,
    summary         text        NOT NULL,
    body            text        NOT NULL,
    UNIQUE (conversation_id, service, sequence)
);

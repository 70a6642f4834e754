-- The tables that make "once, in order, in a transaction" true; the same in every service's schema.

CREATE SEQUENCE journal_id;

-- What this service said: outbox, audit and rebuild source. The body is text: exactly the bytes that travel.
CREATE TABLE journal (
    id          bigint      NOT NULL DEFAULT nextval('journal_id'),
    message_id  uuid        NOT NULL,
    lane        text        NOT NULL,
    key         text        NOT NULL,
    seq         bigint      NOT NULL,
    subject     text        NOT NULL,
    type        text        NOT NULL,
    correlation uuid        NOT NULL,
    causation   uuid        NOT NULL,
    actor       text,
    at          timestamptz NOT NULL,
    body        text        NOT NULL,
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);

CREATE INDEX journal_by_key ON journal (lane, key, seq);

-- Rows that no month's partition takes (a clock far off) are still kept.
CREATE TABLE journal_other PARTITION OF journal DEFAULT;

CREATE FUNCTION make_journal_partitions(months integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first date;
BEGIN
    FOR ahead IN 0 .. months LOOP
        first := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ahead))::date;
        BEGIN
            EXECUTE format(
                'CREATE TABLE IF NOT EXISTS %I PARTITION OF journal FOR VALUES FROM (%L) TO (%L)',
                'journal_' || to_char(first, 'YYYY_MM'),
                first::timestamp AT TIME ZONE 'UTC',
                (first + interval '1 month')::timestamp AT TIME ZONE 'UTC'
            );
        EXCEPTION
            WHEN check_violation OR duplicate_table THEN NULL;
        END;
    END LOOP;
END
$$;

SELECT make_journal_partitions(2);

-- What of the journal the broker has not yet acknowledged. A table of its own: marking a row in the journal would
-- write its body a second time.
CREATE TABLE unpublished (
    id bigint      PRIMARY KEY,
    at timestamptz NOT NULL
);

-- The writer's last sequence of each (lane, key).
CREATE TABLE heads (
    lane text   NOT NULL,
    key  text   NOT NULL,
    seq  bigint NOT NULL,
    PRIMARY KEY (lane, key)
) WITH (fillfactor = 80);

-- The reader's last applied sequence of each (lane, key); no row means 0; one row for ever.
CREATE TABLE progress (
    lane text   NOT NULL,
    key  text   NOT NULL,
    seq  bigint NOT NULL,
    PRIMARY KEY (lane, key)
) WITH (fillfactor = 80);

-- What waits for an earlier event (gap), behind a failed one (behind), for another try (failed, trying), or for a
-- person (dead).
CREATE TABLE waiting (
    lane       text        NOT NULL,
    key        text        NOT NULL,
    seq        bigint      NOT NULL,
    message_id uuid        NOT NULL,
    subject    text        NOT NULL,
    type       text        NOT NULL,
    body       bytea       NOT NULL,
    state      text        NOT NULL CHECK (state IN ('gap', 'behind', 'failed', 'trying', 'dead')),
    reason     text        NOT NULL DEFAULT '',
    handler    text        NOT NULL DEFAULT '',
    stack      text        NOT NULL DEFAULT '',
    tries      integer     NOT NULL DEFAULT 0,
    next_at    timestamptz NOT NULL,
    since      timestamptz NOT NULL,
    PRIMARY KEY (lane, key, seq, message_id)
);

CREATE INDEX waiting_due ON waiting (next_at) WHERE state <> 'dead';

-- Dropped dead letters: advancing past a message is written down with its author and reason.
CREATE TABLE dropped (
    lane       text        NOT NULL,
    key        text        NOT NULL,
    seq        bigint      NOT NULL,
    message_id uuid        NOT NULL,
    body       bytea       NOT NULL,
    author     text        NOT NULL,
    reason     text        NOT NULL,
    at         timestamptz NOT NULL
);

CREATE TABLE commands (
    idempotency_key text        PRIMARY KEY,
    request_hash    bytea       NOT NULL,
    answer          text        NOT NULL,
    at              timestamptz NOT NULL
);

CREATE INDEX commands_by_age ON commands (at);

-- When an object wants to be woken; kept in step with its state by the runner.
CREATE TABLE timers (
    aggregate text        NOT NULL,
    key       text        NOT NULL,
    due_at    timestamptz NOT NULL,
    PRIMARY KEY (aggregate, key)
);

CREATE INDEX timers_due ON timers (due_at);

-- What is to leave by the service's provider, in order per (lane, key).
CREATE TABLE sends (
    lane        text        NOT NULL,
    key         text        NOT NULL,
    seq         bigint      NOT NULL,
    message_id  uuid        NOT NULL,
    type        text        NOT NULL,
    body        text        NOT NULL,
    correlation uuid        NOT NULL,
    state       text        NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'unknown')),
    tries       integer     NOT NULL DEFAULT 0,
    reason      text        NOT NULL DEFAULT '',
    external_id text,
    next_at     timestamptz NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (lane, key, seq)
);

CREATE INDEX sends_due ON sends (next_at) WHERE state IN ('queued', 'sending', 'unknown');

-- Lanes whose history this reader has taken up.
CREATE TABLE lanes_heard (
    lane  text        PRIMARY KEY,
    since text        NOT NULL,
    at    timestamptz NOT NULL
);

-- What is needed to see that stream and journal no longer fit each other, and to mend it.

-- The last message of its own that a writer saw in each stream: while it is still there, so is all before it.
CREATE TABLE streams_known (
    lane       text        PRIMARY KEY,
    created    text        NOT NULL,
    seq        bigint      NOT NULL,
    message_id uuid        NOT NULL,
    journal_id bigint      NOT NULL,
    at         timestamptz NOT NULL
);

-- What a stream holds, while it is compared with the journal; worth nothing afterwards.
CREATE UNLOGGED TABLE stream_seen (
    lane       text   NOT NULL,
    stream_seq bigint NOT NULL,
    message_id uuid   NOT NULL,
    key        text   NOT NULL,
    seq        bigint NOT NULL
);

CREATE INDEX stream_seen_by_id ON stream_seen (lane, message_id);

-- What an older database had lost and took back from the stream: when its cause is handled again, these are what it
-- says, and nothing new.
CREATE TABLE recovered (
    causation  uuid        NOT NULL,
    journal_id bigint      NOT NULL,
    said_at    timestamptz NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (causation, journal_id)
);

-- How far the history of a lane is read, which durable it is that hears the rest, and up to where of the stream it had
-- heard all: the broker moves a durable past what it drops, so it cannot tell.
ALTER TABLE lanes_heard ADD COLUMN read_to bigint NOT NULL DEFAULT 0;
ALTER TABLE lanes_heard ADD COLUMN whole boolean NOT NULL DEFAULT true;
ALTER TABLE lanes_heard ADD COLUMN durable text NOT NULL DEFAULT '';
ALTER TABLE lanes_heard ADD COLUMN heard_to bigint NOT NULL DEFAULT 0;

-- Conversations as they stand, and what was written in them.

-- Taken when an unknown conversation is asked for; gaps are allowed.
CREATE SEQUENCE conversation_numbers;

-- `state` is one JSON document: it is read and written whole, and nothing searches in it. Text keeps what jsonb would
-- refuse (NUL in a name) and costs less.
CREATE TABLE conversations (
    id     uuid   PRIMARY KEY,
    number bigint NOT NULL UNIQUE,
    state  text   NOT NULL
) WITH (fillfactor = 70);


-- The thread. `position` is the version that brought the message; `body` is what the event carried (received message,
-- reply, note), `delivery` how far a reply got.
CREATE TABLE messages (
    conversation_id uuid        NOT NULL,
    position        integer     NOT NULL,
    id              uuid        NOT NULL,
    kind            text        NOT NULL CHECK (kind IN ('customer', 'automatic', 'reply', 'note')),
    at              timestamptz NOT NULL,
    body            text        NOT NULL,
    delivery        text,
    PRIMARY KEY (conversation_id, position)
);


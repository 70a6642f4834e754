-- Every clock of every conversation, the running ones and those that stopped.

CREATE TABLE clocks (
    conversation_id  uuid        NOT NULL,
    ordinal          integer     NOT NULL,
    number           integer     NOT NULL,
    created_at       timestamptz NOT NULL,
    metric           text        NOT NULL CHECK (metric IN ('first_response', 'next_response')),
    started_at       timestamptz NOT NULL,
    target_minutes   integer     NOT NULL,
    warn_at          timestamptz NOT NULL,
    due_at           timestamptz NOT NULL,
    policy           text        NOT NULL,
    policy_version   text        NOT NULL,
    calendar         text        NOT NULL,
    calendar_version text        NOT NULL,
    -- JSON: what began its segments; what ended it, and would have.
    causes           text        NOT NULL,
    endings          text        NOT NULL DEFAULT '[]',
    left_new_to      text,
    left_new_at      timestamptz,
    warned           boolean     NOT NULL DEFAULT false,
    breached         boolean     NOT NULL DEFAULT false,
    replaced         boolean     NOT NULL DEFAULT false,
    settled          boolean     NOT NULL DEFAULT false,
    -- For people and reports; both follow from what ended it.
    stopped_at       timestamptz,
    outcome          text        CHECK (outcome IN ('met', 'breached', 'no_reply')),
    PRIMARY KEY (conversation_id, ordinal)
);

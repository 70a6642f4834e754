-- What arrived, as it arrived, and what became of it. `position` is the order of arrival. A rejected message keeps its
-- place: to apply it after a fix, take the rejected ones by position, read `body` again, and set fate, thread and
-- `attempts`; the effects then follow from (id, attempts), so that they are other effects than those of the first time.
CREATE TABLE archive (
    position     bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    id           uuid        PRIMARY KEY,
    subject      text        NOT NULL,
    channel      text        NOT NULL,
    inbox        text        NOT NULL,
    kind         text        NOT NULL CHECK (kind IN ('message', 'delivery', 'unreadable')),
    fate         text        NOT NULL CHECK (fate IN ('applied', 'duplicate', 'rejected')),
    external_id  text,
    thread_id    uuid,
    original_id  uuid,
    field        text,
    reason       text,
    fingerprint  bytea,
    -- Of the one message that took effect under its external id. A hash, because 998 characters of any script are more
    -- than an index row can hold.
    external_key bytea,
    body         bytea,
    sha256       bytea       NOT NULL,
    size         integer     NOT NULL,
    attempts     integer     NOT NULL DEFAULT 0,
    received_at  timestamptz NOT NULL,
    CHECK ((fate = 'rejected') = (reason IS NOT NULL))
);

CREATE UNIQUE INDEX archive_by_external_key ON archive (external_key) WHERE external_key IS NOT NULL;
CREATE INDEX archive_rejected ON archive (position) WHERE fate = 'rejected';

-- lz4 costs next to nothing; where the server lacks it, pglz would cost more than the disk it saves.
DO $$
BEGIN
    ALTER TABLE archive ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION
    WHEN feature_not_supported THEN
        ALTER TABLE archive ALTER COLUMN body SET STORAGE EXTERNAL;
END
$$;

-- Other names of a thread: the channel's own id of it, and the channel's ids of what we sent into it.
CREATE TABLE links (
    key       bytea PRIMARY KEY,
    thread_id uuid  NOT NULL
);

CREATE TABLE threads (
    id        uuid        PRIMARY KEY,
    channel   text        NOT NULL,
    inbox     text        NOT NULL,
    via       text        NOT NULL,
    opened_at timestamptz NOT NULL
);

-- Who was seen in a thread. A stranger joined it by answering, or was copied in later; nobody vouches for one yet.
CREATE TABLE participants (
    thread_id uuid        NOT NULL,
    identity  text        NOT NULL,
    stranger  boolean     NOT NULL,
    joined_at timestamptz NOT NULL,
    PRIMARY KEY (thread_id, identity)
);

CREATE TABLE counts (
    channel text   NOT NULL,
    fate    text   NOT NULL,
    number  bigint NOT NULL,
    PRIMARY KEY (channel, fate)
) WITH (fillfactor = 50);

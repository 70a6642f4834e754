-- Which mails were taken, which were not and why, and what was sent.

-- One row per mail: `nth` counts mails that share a Message-ID. Rows are written once and never changed, so that the
-- key alone keeps two replicas from taking one mail twice.
CREATE TABLE mails (
    key            text        NOT NULL,
    nth            integer     NOT NULL,
    external_id    text        NOT NULL,
    fingerprint    bytea       NOT NULL,
    raw_sha256     text        NOT NULL,
    hard_bounce_of uuid,
    at             timestamptz NOT NULL,
    PRIMARY KEY (key, nth)
);

CREATE INDEX mails_bounces ON mails (hard_bounce_of) WHERE hard_bounce_of IS NOT NULL;

-- The raw mail lies in the blobs under `sha256`; it is null for a mail that was too big to be taken in.
CREATE TABLE rejected_mails (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason      text        NOT NULL,
    sentence    text        NOT NULL,
    sha256      text,
    size        bigint      NOT NULL,
    mail_from   text        NOT NULL,
    recipients  text[]      NOT NULL,
    at          timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sent_mails (
    reply_id        uuid        PRIMARY KEY,
    conversation_id uuid        NOT NULL,
    recipient       text        NOT NULL,
    external_id     text        NOT NULL,
    automatic       boolean     NOT NULL,
    said_at         timestamptz NOT NULL
);

CREATE INDEX sent_mails_automatic ON sent_mails (conversation_id, said_at) WHERE automatic;
CREATE INDEX sent_mails_recipient ON sent_mails (recipient);

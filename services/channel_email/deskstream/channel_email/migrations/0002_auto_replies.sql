-- Which automatic replies were begun, by whom they went to: noted before they leave, so that two at once are one.
CREATE TABLE auto_replies (
    reply_id  uuid        PRIMARY KEY,
    recipient text        NOT NULL,
    inbox     text        NOT NULL,
    said_at   timestamptz NOT NULL
);

CREATE INDEX auto_replies_recipient ON auto_replies (recipient, inbox, said_at);

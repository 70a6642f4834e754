CREATE TABLE counters (
    id    text   PRIMARY KEY,
    total bigint NOT NULL,
    last  bigint NOT NULL,
    wake  timestamptz
);

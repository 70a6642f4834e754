-- Attachments, raw originals and long bodies, each once, named by what they are.

CREATE TABLE blobs (
    sha256     bytea       PRIMARY KEY CHECK (octet_length(sha256) = 32),
    media_type text        NOT NULL,
    size       integer     NOT NULL,
    body       bytea       NOT NULL,
    at         timestamptz NOT NULL DEFAULT now()
);

-- Raw mails shrink to a third, at little cost by lz4. PostgreSQL's own pglz would take a second of CPU for a large
-- file; so a server built without lz4 keeps bodies as they are.
DO $$
BEGIN
    ALTER TABLE blobs ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION
    WHEN feature_not_supported THEN
        ALTER TABLE blobs ALTER COLUMN body SET STORAGE EXTERNAL;
END
$$;

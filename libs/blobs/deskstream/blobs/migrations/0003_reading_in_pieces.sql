-- A large file is read piece by piece, so that whoever takes it slowly fills nobody's memory meanwhile.

SELECT set_config('search_path', current_schema() || ', pg_temp', true);

CREATE FUNCTION read_piece(wanted bytea, start integer, length integer)
RETURNS TABLE (media_type text, size integer, piece bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT blobs.media_type, blobs.size, substring(blobs.body FROM start + 1 FOR length)
    FROM blobs
    WHERE blobs.sha256 = wanted
$$;

-- Whoever names a blob may read it; nobody who may not read the whole table can find out which there are.

SELECT set_config('search_path', current_schema() || ', pg_temp', true);

CREATE FUNCTION read_blob(wanted bytea) RETURNS TABLE (media_type text, body bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT blobs.media_type, blobs.body
    FROM blobs
    WHERE blobs.sha256 = wanted
$$;

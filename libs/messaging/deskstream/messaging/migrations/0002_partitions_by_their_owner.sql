-- A service that owns no table still gets its next months: the function works with its owner's rights, in the schema
-- where it is made, whatever the caller's search path says.

SELECT set_config('search_path', current_schema() || ', pg_temp', true);

ALTER FUNCTION make_journal_partitions(integer) SECURITY DEFINER;
ALTER FUNCTION make_journal_partitions(integer) SET search_path FROM CURRENT;

-- Lists narrow tickets down to a conversation or an issue that they are linked to.

-- Read out of the facts, so that rows of before, and those that the release before still writes, have it too. A cast of
-- text to an array is not immutable, one of its elements is: the brackets of the JSON array are taken off for that.
ALTER TABLE tickets ADD COLUMN linked uuid[] NOT NULL GENERATED ALWAYS AS (
    string_to_array(
        translate(
            (
                jsonb_path_query_array(facts::jsonb, '$.conversations[*].id')
                || jsonb_path_query_array(facts::jsonb, '$.issues[*].id')
            )::text,
            '[]" ',
            ''
        ),
        ','
    )::uuid[]
) STORED;

CREATE INDEX tickets_by_link ON tickets USING gin (linked);

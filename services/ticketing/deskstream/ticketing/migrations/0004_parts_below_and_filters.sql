-- What several statements ask alike stands here once; and the few issues that are confidential are found at once.

-- A part and all below it.
CREATE FUNCTION parts_below(top uuid) RETURNS SETOF uuid
LANGUAGE sql STABLE PARALLEL SAFE ROWS 20
BEGIN ATOMIC
    WITH RECURSIVE below AS (
        SELECT id
        FROM parts
        WHERE id = top
        UNION
        SELECT p.id
        FROM below
        JOIN parts AS p ON p.parent = below.id
    )
    SELECT id
    FROM below;
END;

-- These parts and all above them.
CREATE FUNCTION parts_above(bottoms uuid[]) RETURNS TABLE (id uuid, parent uuid, number bigint, state text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 20
BEGIN ATOMIC
    WITH RECURSIVE up AS (
        SELECT p.id, p.parent, p.number, p.state
        FROM parts AS p
        WHERE p.id = ANY(bottoms)
        UNION
        SELECT p.id, p.parent, p.number, p.state
        FROM up
        JOIN parts AS p ON p.id = up.parent
    )
    SELECT up.id, up.parent, up.number, up.state
    FROM up;
END;

-- The tickets of a list; NULL asks for all. Planned within the statement that calls it, as if its text stood there.
-- What is linked is looked up first, as an array, so that a few tickets are not looked for among all.
CREATE FUNCTION tickets_asked_for(
    asked_deleted boolean,
    asked_tracker smallint,
    asked_triage smallint,
    asked_stage text,
    asked_type text,
    asked_severity text,
    asked_owner text,
    asked_account uuid,
    asked_contact uuid,
    asked_conversation uuid,
    asked_object uuid
) RETURNS TABLE (part_id uuid, number bigint, state text)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT t.part_id, t.number, t.state
    FROM tickets AS t
    WHERE t.deleted = asked_deleted
      AND (asked_tracker IS NULL OR t.tracker = asked_tracker AND t.tracker > 0)
      AND (asked_triage IS NULL OR t.triage = asked_triage)
      AND (asked_stage IS NULL OR t.stage = asked_stage)
      AND (asked_type IS NULL OR t.type = asked_type)
      AND (asked_severity IS NULL OR t.severity = asked_severity)
      AND (asked_owner IS NULL OR t.owner = asked_owner)
      AND (asked_account IS NULL OR t.account = asked_account)
      AND (asked_contact IS NULL OR t.contact = asked_contact)
      AND (asked_conversation IS NULL OR t.id = ANY(ARRAY(
          SELECT c.ticket_id
          FROM ticket_conversations AS c
          WHERE c.conversation_id = asked_conversation
      )))
      AND (asked_object IS NULL OR t.id = ANY(ARRAY(
          SELECT w.ticket_id
          FROM weights AS w
          WHERE w.object_id = asked_object
      )));
END;

-- As the domain's rule says; a test holds the two together.
ALTER TABLE issues ADD COLUMN confidential boolean GENERATED ALWAYS AS (security <> 'no') STORED;

CREATE INDEX issues_confidential ON issues (number) WHERE confidential;

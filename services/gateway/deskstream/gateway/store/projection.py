"""Writing the views: one statement for the feed and one for the inbox, whatever the size of the batch."""

from collections.abc import Sequence

from deskstream.gateway.views.lines import Line
from deskstream.gateway.views.rows import Row
from deskstream.messaging import Tx

# The lock makes one writer of two during a change of projectors: whoever reads up to an id has read all before it.
# What the feed has already is left alone, and costs an id.
_APPEND = """
    WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.feed', 0)))
    INSERT INTO feed (at, service, event, conversation_id, sequence, number, actor, summary, body)
    SELECT at, service, event, conversation_id, sequence, number, actor, summary, body
    FROM turn, unnest(
        $1::timestamptz[], $2::text[], $3::text[], $4::uuid[], $5::bigint[], $6::bigint[], $7::text[], $8::text[],
        $9::text[]
    ) WITH ORDINALITY AS said (at, service, event, conversation_id, sequence, number, actor, summary, body, place)
    ORDER BY place
    ON CONFLICT (conversation_id, service, sequence) DO NOTHING
"""

_UPSERT = """
    INSERT INTO inbox (
        conversation_id, updated_at,
        conversation_seq, number, stage, kind, channel, inbox, account_id, created_at, hidden_until, unanswered,
        priority_said, facts,
        choice_seq, priority_chosen,
        routing_seq, owner, priority_routed, routed,
        first_seq, first_due, first_clock,
        next_seq, next_due, next_clock
    )
    SELECT
        unnest($1::uuid[]), unnest($2::timestamptz[]),
        unnest($3::bigint[]), unnest($4::bigint[]), unnest($5::text[]), unnest($6::text[]), unnest($7::text[]),
        unnest($8::text[]), unnest($9::uuid[]), unnest($10::timestamptz[]), unnest($11::timestamptz[]),
        unnest($12::bigint[]), unnest($13::smallint[]), unnest($14::text[]),
        unnest($15::bigint[]), unnest($16::smallint[]),
        unnest($17::bigint[]), unnest($18::text[]), unnest($19::smallint[]), unnest($20::text[]),
        unnest($21::bigint[]), unnest($22::bigint[]), unnest($23::text[]),
        unnest($24::bigint[]), unnest($25::bigint[]), unnest($26::text[])
    ON CONFLICT (conversation_id) DO UPDATE SET
        updated_at = GREATEST(inbox.updated_at, excluded.updated_at),

        conversation_seq = GREATEST(inbox.conversation_seq, excluded.conversation_seq),
        number = COALESCE(inbox.number, excluded.number),
        stage = CASE WHEN excluded.conversation_seq > inbox.conversation_seq THEN excluded.stage ELSE inbox.stage END,
        kind = COALESCE(inbox.kind, excluded.kind),
        channel = CASE
            WHEN excluded.conversation_seq > inbox.conversation_seq THEN excluded.channel ELSE inbox.channel
        END,
        inbox = CASE WHEN excluded.conversation_seq > inbox.conversation_seq THEN excluded.inbox ELSE inbox.inbox END,
        account_id = CASE
            WHEN excluded.conversation_seq > inbox.conversation_seq THEN excluded.account_id ELSE inbox.account_id
        END,
        created_at = COALESCE(inbox.created_at, excluded.created_at),
        hidden_until = CASE
            WHEN excluded.conversation_seq > inbox.conversation_seq THEN excluded.hidden_until ELSE inbox.hidden_until
        END,
        unanswered = CASE
            WHEN excluded.conversation_seq > inbox.conversation_seq THEN excluded.unanswered ELSE inbox.unanswered
        END,
        priority_said = CASE
            WHEN excluded.conversation_seq > inbox.conversation_seq THEN excluded.priority_said ELSE inbox.priority_said
        END,
        facts = CASE WHEN excluded.conversation_seq > inbox.conversation_seq THEN excluded.facts ELSE inbox.facts END,

        choice_seq = GREATEST(inbox.choice_seq, excluded.choice_seq),
        priority_chosen = CASE
            WHEN excluded.choice_seq > inbox.choice_seq THEN excluded.priority_chosen ELSE inbox.priority_chosen
        END,

        routing_seq = GREATEST(inbox.routing_seq, excluded.routing_seq),
        owner = CASE WHEN excluded.routing_seq > inbox.routing_seq THEN excluded.owner ELSE inbox.owner END,
        priority_routed = CASE
            WHEN excluded.routing_seq > inbox.routing_seq THEN excluded.priority_routed ELSE inbox.priority_routed
        END,
        routed = CASE WHEN excluded.routing_seq > inbox.routing_seq THEN excluded.routed ELSE inbox.routed END,

        first_seq = GREATEST(inbox.first_seq, excluded.first_seq),
        first_due = CASE WHEN excluded.first_seq > inbox.first_seq THEN excluded.first_due ELSE inbox.first_due END,
        first_clock = CASE
            WHEN excluded.first_seq > inbox.first_seq THEN excluded.first_clock ELSE inbox.first_clock
        END,

        next_seq = GREATEST(inbox.next_seq, excluded.next_seq),
        next_due = CASE WHEN excluded.next_seq > inbox.next_seq THEN excluded.next_due ELSE inbox.next_due END,
        next_clock = CASE WHEN excluded.next_seq > inbox.next_seq THEN excluded.next_clock ELSE inbox.next_clock END
    WHERE excluded.conversation_seq > inbox.conversation_seq
        OR excluded.choice_seq > inbox.choice_seq
        OR excluded.routing_seq > inbox.routing_seq
        OR excluded.first_seq > inbox.first_seq
        OR excluded.next_seq > inbox.next_seq
"""


async def append(tx: Tx, lines: Sequence[Line]) -> None:
    """Adds lines to the feed, in their order; one that is there already is not added again."""
    await tx.execute(_APPEND, *zip(*lines, strict=True))


async def upsert(tx: Tx, rows: Sequence[Row]) -> None:
    """Writes rows of the inbox, each conversation once; a group of columns that is newer there stays."""
    await tx.execute(_UPSERT, *zip(*rows, strict=True))

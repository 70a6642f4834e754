"""Whom an answer about an issue would reach: the conversations of its tickets, as far as they send anything."""

from collections.abc import Sequence

from deskstream.contracts.ids import IssueId, TicketId
from deskstream.messaging import Tx
from deskstream.ticketing.domain import Addressed

_ADDRESSED = """
SELECT
    w.object_id,
    t.id,
    t.number,
    t.internal,
    ARRAY(
        SELECT conversation ->> 'silenced'
        FROM json_array_elements(t.state::json #> '{facts,conversations}') WITH ORDINALITY AS of(conversation, place)
        ORDER BY place
    ) AS silenced,
    EXISTS (
        SELECT 1
        FROM json_array_elements(t.state::json #> '{facts,waits}') AS wait
        WHERE wait ->> 'name' <> 'ISS-' || i.number
    ) AS still_waits
FROM weights AS w
JOIN issues AS i ON i.id = w.object_id
JOIN tickets AS t ON t.id = w.ticket_id
WHERE w.object_id = ANY($1::uuid[])
  AND NOT w.answered
"""


async def addressed(tx: Tx, issues: Sequence[IssueId]) -> dict[IssueId, dict[TicketId, Addressed]]:
    """The tickets of issues that were not answered yet."""
    found: dict[IssueId, dict[TicketId, Addressed]] = {}
    for row in await tx.fetch(_ADDRESSED, issues):
        of_issue = found.setdefault(IssueId(row["object_id"]), {})
        silenced = tuple(row["silenced"])
        of_issue[TicketId(row["id"])] = Addressed(row["number"], silenced, row["internal"], row["still_waits"])
    return found

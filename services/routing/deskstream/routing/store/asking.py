"""What people look up: decisions with their records, agents, rules. Read only."""

from typing import Any

from deskstream.contracts import Refused
from deskstream.contracts.envelope import decode, event_type
from deskstream.contracts.ids import ConversationId
from deskstream.contracts.routing import LANE, Explain, ListAgents, ListRules, OwnerChosen
from deskstream.messaging import Tx
from deskstream.routing.domain.explaining import why
from deskstream.routing.store import rules

ANSWER_BYTES = 60_000
"""What an answer may weigh: it travels in one message."""

_CONVERSATION = """
SELECT conversation_id, number, owner, team, priority, handoffs
FROM assignments
WHERE conversation_id = $1 OR number = $2
LIMIT 1
"""

# A decision is journaled with its record, exactly once: the journal is the table of decisions.
_DECISIONS = """
SELECT body
FROM journal
WHERE lane = $1 AND key = $2 AND type = $3
ORDER BY seq DESC
LIMIT 200
"""

_AGENTS = """
SELECT id, name, email, team, availability, capacity, load
FROM agents
WHERE id > $1
ORDER BY id
LIMIT $2
"""

_QUEUES = """
SELECT t.id AS team, t.structure, t.planned_owners, (
    SELECT count(*)
    FROM assignments a
    WHERE a.team = t.id AND a.owner IS NULL AND a.routed AND a.stage IN ('new', 'needs_response')
) AS waiting
FROM teams t
ORDER BY t.id
"""


async def explain(tx: Tx, asked: Explain) -> dict[str, Any]:
    """The decisions about one conversation, newest first."""
    row = await tx.fetchrow(_CONVERSATION, asked.conversation_id, asked.number)
    if row is None:
        raise Refused("unknown_conversation", "Routing knows no such conversation.")
    decisions = await _decisions(tx, ConversationId(row["conversation_id"]))
    shown = _fitting([decision.model_dump(mode="json", exclude_defaults=True) for decision in decisions])
    answer = {
        "conversation_id": str(row["conversation_id"]),
        "number": row["number"],
        "owner": row["owner"],
        "team": row["team"],
        "handoffs": row["handoffs"],
        "decisions": shown,
        "left_out": len(decisions) - len(shown),
    }
    if asked.agent is not None:
        answer["why"] = why(decisions[0], asked.agent) if decisions else "Nothing was decided about it yet."
    return answer


async def list_agents(tx: Tx, asked: ListAgents) -> dict[str, Any]:
    """One page of agents, and every team with what waits."""
    agents = [dict(row) for row in await tx.fetch(_AGENTS, asked.after, asked.limit)]
    return {"agents": agents, "teams": [dict(row) for row in await tx.fetch(_QUEUES)]}


async def list_rules(tx: Tx, asked: ListRules) -> dict[str, Any]:
    """One page of rules in order, with the version of the list."""
    book = await rules.current(tx)
    ordered = sorted((entry.facts for entry in book.entries.values()), key=lambda rule: (rule.position, rule.name))
    page = ordered[asked.skip : asked.skip + asked.limit]
    return {
        "version": book.version,
        "count": len(ordered),
        "rules": _fitting([rule.model_dump(mode="json", exclude_defaults=True) for rule in page]),
    }


async def _decisions(tx: Tx, conversation: ConversationId) -> list[OwnerChosen]:
    rows = await tx.fetch(_DECISIONS, LANE, str(conversation), event_type(OwnerChosen))
    return [decode(OwnerChosen, row["body"]).data for row in rows]


def _fitting(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many from the front as one answer holds; the first always."""
    shown, weight = items[:1], len(str(items[:1]))
    for item in items[1:]:
        weight += len(str(item).encode())
        if weight > ANSWER_BYTES:
            break
        shown.append(item)
    return shown

"""What the clocks hear and answer."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from deskstream.contracts import Event
from deskstream.contracts.conversation import (
    AgentReplied,
    ConversationArchived,
    ConversationEvent,
    ConversationOpened,
    ConversationResolved,
    CustomerReplied,
    DeliveryChanged,
    PutOnHold,
    SuspicionReviewed,
)
from deskstream.contracts.sla import ExplainClocks
from deskstream.messaging import Absorb, Aggregate, Due, On, Query, Tx
from deskstream.messaging.declare import Answers, Hears
from deskstream.sla import store
from deskstream.sla.domain import Clocks, Rules, Woken, decide, due, evolve, explained

TELLING: tuple[type[ConversationEvent], ...] = (
    ConversationOpened,
    CustomerReplied,
    SuspicionReviewed,
    AgentReplied,
    DeliveryChanged,
    ConversationResolved,
    ConversationArchived,
)
"""What can start, stop or resume a clock: first we say so, then it becomes part of the clocks."""
ABSORBED: tuple[type[ConversationEvent], ...] = (*TELLING, PutOnHold)

LONGEST_LOOK_AHEAD = timedelta(days=366)


def clocks(rules: Rules) -> Aggregate:
    return Aggregate("clocks", store.load, store.save, partial(_decide, rules), partial(evolve, rules), due)


def hears(rules: Rules) -> list[Hears]:
    aggregate = clocks(rules)
    return [
        *(On(kind, aggregate, key=lambda said: said.conversation_id) for kind in TELLING),
        *(Absorb(kind, aggregate, key=lambda said: said.conversation_id) for kind in ABSORBED),
    ]


def answers(rules: Rules) -> list[Answers]:
    return [Query(ExplainClocks, partial(explain, rules))]


def _decide(rules: Rules, state: Clocks, message: Any, now: datetime) -> Sequence[Event]:
    return decide(rules, state, Woken() if isinstance(message, Due) else message, now)


async def explain(rules: Rules, tx: Tx, asked: ExplainClocks) -> dict[str, Any]:
    now = await store.clock_of_database(tx)
    until = min(asked.as_of or now, now + LONGEST_LOOK_AHEAD)
    found = await store.read(tx, asked.conversation_id)
    return {
        "conversation_id": str(asked.conversation_id),
        "as_of": until.isoformat(),
        "explained_by": {"calendar": rules.calendar.id, "calendar_version": rules.calendar.version},
        "clocks": [explained(clock, rules.calendar, until) for clock in found],
    }

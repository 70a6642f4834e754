"""From an event to its line in the feed."""

import json
from functools import cache
from typing import Any, TypeAlias

from deskstream.contracts import Event, subjects
from deskstream.contracts.conversation import (
    ConversationEvent,
    ConversationShared,
    PriorityChanged,
    PutOnHold,
    TitleChanged,
)
from deskstream.contracts.facts import ConversationFacts
from deskstream.contracts.issues import IssueEvent
from deskstream.contracts.routing import OwnerChosen
from deskstream.contracts.sla import ClockEvent
from deskstream.contracts.ticketing import PartEvent, TicketEvent
from deskstream.gateway.views.work import work_body, work_summary
from deskstream.messaging import Heard

Line: TypeAlias = tuple[Any, ...]
"""Values in the order of the columns that `store.feed` writes."""

_ADDRESS = {"at", "conversation_id", "number", "stage_before"}

# What these say stands in the state after them only.
_TOLD_BY_STATE: dict[type[Event], set[str]] = {
    TitleChanged: {"title"},
    PriorityChanged: {"priority"},
    PutOnHold: {"waits"},
    ConversationShared: {"shared_with"},
}


def body_of(event: Event) -> str:
    """Everything the event says beside its address, its time, and the state before and after it."""
    return event.model_dump_json(exclude=_left_out(type(event)), exclude_defaults=True)


@cache
def _left_out(kind: type[Event]) -> dict[str, Any]:
    told = _TOLD_BY_STATE.get(kind)
    after: set[str] | bool = ConversationFacts.model_fields.keys() - told if told else True
    return dict.fromkeys(_ADDRESS, True) | {"after": after}


def line(heard: Heard[Any]) -> Line:
    """What the feed keeps of one event."""
    event = heard.data
    if isinstance(event, (TicketEvent, PartEvent, IssueEvent)):
        return _work_line(heard, event)
    number = event.after.number if isinstance(event, ConversationEvent) else event.number
    return (
        heard.at,
        subjects.owner_of(heard.lane),
        event.NAME,
        event.conversation_id,
        heard.sequence,
        number,
        heard.actor,
        summary(event),
        body_of(event),
    )


def _work_line(heard: Heard[Any], event: TicketEvent | PartEvent | IssueEvent) -> Line:
    return (
        heard.at,
        subjects.owner_of(heard.lane),
        event.NAME,
        event.after.id,
        heard.sequence,
        event.after.number,
        heard.actor,
        work_summary(event),
        work_body(event),
    )


def summary(event: ConversationEvent | OwnerChosen | ClockEvent) -> str:
    """The little that lets a listener redraw a row or decide to read the rest."""
    if isinstance(event, ConversationEvent):
        # Stages are closed words, so this is JSON; it is written for every event of every conversation.
        before = "null" if event.stage_before is None else f'"{event.stage_before}"'
        at = event.after.suggests_ticket_at
        suggests = f',"suggests_ticket_at":"{at.isoformat()}"' if at else ""
        return f'{{"version":{event.after.version},"stage_before":{before},"stage":"{event.after.stage}"{suggests}}}'
    if isinstance(event, OwnerChosen):
        return json.dumps({"owner": event.owner, "previous": event.previous, "cause": event.cause})
    clock = event.clock
    return json.dumps({"metric": clock.metric, "due_at": clock.due_at.isoformat()})

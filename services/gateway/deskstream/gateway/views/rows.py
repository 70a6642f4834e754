"""From a batch of events to one row a conversation of the inbox."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

from deskstream.contracts.conversation import ConversationEvent, PriorityChanged
from deskstream.contracts.facts import ConversationFacts, SnoozeFacts
from deskstream.contracts.routing import OwnerChosen
from deskstream.contracts.sla import ClockEvent, ClockStopped, Metric
from deskstream.gateway.domain import RANKS
from deskstream.gateway.views.lines import body_of
from deskstream.messaging import Heard

Row: TypeAlias = tuple[Any, ...]
"""Values in the order of the columns that `store.inbox` writes."""

# Snoozed until a reply: nothing that time alone could end.
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)

_NO_CONVERSATION = (0, *[None] * 11)
_NO_CHOICE = (0, None)
_NO_ROUTING = (0, "", None, None)
_NO_CLOCK = (0, None, None)


@dataclass(slots=True)
class Change:
    """What a batch says about one conversation: the last event of each group of columns."""

    updated_at: datetime
    said: Heard[ConversationEvent] | None = None
    chosen: Heard[PriorityChanged] | None = None
    routed: Heard[OwnerChosen] | None = None
    first: Heard[ClockEvent] | None = None
    next: Heard[ClockEvent] | None = None

    def row(self, conversation_id: UUID) -> Row:
        """The row to write; what the batch does not speak of has sequence 0 and changes nothing."""
        return (
            conversation_id,
            self.updated_at,
            *(_conversation(self.said) if self.said else _NO_CONVERSATION),
            *(_choice(self.chosen) if self.chosen else _NO_CHOICE),
            *(_routing(self.routed) if self.routed else _NO_ROUTING),
            *(_clock(self.first) if self.first else _NO_CLOCK),
            *(_clock(self.next) if self.next else _NO_CLOCK),
        )


def rows(heard: Iterable[Heard[Any]]) -> list[Row]:
    """One row for each conversation that the batch speaks of, in the order of their ids."""
    changes: dict[UUID, Change] = {}
    for one in heard:
        conversation_id = one.data.conversation_id
        change = changes.get(conversation_id)
        if change is None:
            change = changes[conversation_id] = Change(one.at)
        elif one.at > change.updated_at:
            change.updated_at = one.at
        _note(change, one)
    return [changes[conversation_id].row(conversation_id) for conversation_id in sorted(changes)]


def _note(change: Change, one: Heard[Any]) -> None:
    event = one.data
    if isinstance(event, ConversationEvent):
        change.said = _later(change.said, one)
        if isinstance(event, PriorityChanged):
            change.chosen = _later(change.chosen, one)
    elif isinstance(event, OwnerChosen):
        change.routed = _later(change.routed, one)
    elif event.clock.metric is Metric.FIRST_RESPONSE:
        change.first = _later(change.first, one)
    else:
        change.next = _later(change.next, one)


def _later(known: Heard[Any] | None, one: Heard[Any]) -> Heard[Any]:
    return one if known is None or one.sequence > known.sequence else known


def _conversation(said: Heard[ConversationEvent]) -> Sequence[Any]:
    facts = said.data.after
    return (
        said.sequence,
        facts.number,
        facts.stage,
        facts.kind,
        facts.channel,
        facts.inbox,
        facts.account.id if facts.account else None,
        facts.created_at,
        _hidden_until(facts.snooze),
        _microseconds(facts.oldest_unanswered_at) if facts.oldest_unanswered_at else None,
        RANKS[facts.priority],
        _stored(facts),
    )


def _choice(chosen: Heard[PriorityChanged]) -> Sequence[Any]:
    return chosen.sequence, RANKS[chosen.data.after.priority]


def _routing(routed: Heard[OwnerChosen]) -> Sequence[Any]:
    event = routed.data
    shown = {"team": event.team, "cause": event.cause, "reason": event.reason, "handoffs": event.handoffs}
    return routed.sequence, event.owner or "", RANKS[event.priority], json.dumps(shown)


def _clock(heard: Heard[ClockEvent]) -> Sequence[Any]:
    event = heard.data
    due = None if isinstance(event, ClockStopped) else _microseconds(event.clock.due_at)
    return heard.sequence, due, body_of(event)


def _hidden_until(snooze: SnoozeFacts | None) -> datetime | None:
    return None if snooze is None else snooze.until or FOREVER


def _microseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)


def _stored(facts: ConversationFacts) -> str:
    return facts.model_dump_json(exclude_defaults=True)

"""From events of tickets and parts to the rows of their views, and to their lines in the feed."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.issues import IssueEvent
from deskstream.contracts.ticketing import AgentAnswered, PartEvent, TicketChanged, TicketEvent
from deskstream.contracts.vistas import TRACKERS, TRIAGES, tracker_of, triage_of
from deskstream.gateway.domain import SEVERITIES, closed_at
from deskstream.messaging import Heard

Row: TypeAlias = tuple[Any, ...]
"""Values in the order of the columns that `store.work` writes."""

# An issue's link may have to be forgotten; the ticket as it is now has it.
_ADDRESS: Final = dict.fromkeys(("at", "ticket_id", "part_id", "stage_before", "after"), True) | {
    "issue": {"public_link"}
}

# W12: no word of an issue enters the feed. Confidential it may become later, and what was kept would stay.
_SAID_OF_ISSUES: Final = {
    "fields", "by", "how", "linked", "ticket_id", "ticket_number", "tickets", "left", "left_out", "why", "name",
    "asked",
}  # fmt: skip


def work_body(event: TicketEvent | PartEvent | IssueEvent) -> str:
    """What the event says beside its address, its time and the state after it; of a changed ticket what is new."""
    if isinstance(event, IssueEvent):
        return event.model_dump_json(include=_SAID_OF_ISSUES, exclude_defaults=True)
    if isinstance(event, TicketChanged):
        now = event.after.model_dump(mode="json", include=set(event.fields))
        return json.dumps({"fields": event.fields, "now": now})
    return event.model_dump_json(exclude=_ADDRESS, exclude_defaults=True)


def work_summary(event: TicketEvent | PartEvent | IssueEvent) -> str:
    """The little that lets a listener redraw a row or decide to read the rest."""
    if isinstance(event, PartEvent):
        return json.dumps({"version": event.after.version})
    return json.dumps({"version": event.after.version, "stage_before": event.stage_before, "stage": event.after.stage})


def ticket_rows(heard: Iterable[Heard[TicketEvent]]) -> list[Row]:
    """One row for each ticket that the batch speaks of, in the order of their ids."""
    last: dict[UUID, Heard[TicketEvent]] = {}
    updated: dict[UUID, datetime] = {}
    told: dict[UUID, datetime] = {}
    for one in heard:
        ticket_id = one.data.ticket_id
        last[ticket_id] = _later(last.get(ticket_id), one)
        updated[ticket_id] = max(updated.get(ticket_id, one.at), one.at)
        # An approved answer that was handed to a conversation may never leave it (R11).
        if isinstance(one.data, AgentAnswered):
            told[ticket_id] = max(told.get(ticket_id, one.at), one.at)
    return [_ticket(last[ticket_id], updated[ticket_id], told.get(ticket_id)) for ticket_id in sorted(last)]


def part_rows(heard: Iterable[Heard[PartEvent]]) -> list[Row]:
    """One row for each part that the batch speaks of, in the order of their ids."""
    last: dict[UUID, Heard[PartEvent]] = {}
    for one in heard:
        last[one.data.part_id] = _later(last.get(one.data.part_id), one)
    return [_part(last[part_id]) for part_id in sorted(last)]


def _ticket(heard: Heard[TicketEvent], updated: datetime, told: datetime | None) -> Row:
    facts = heard.data.after
    return (
        facts.id,
        heard.sequence,
        facts.number,
        facts.stage.value,
        TRIAGES.index(triage_of(facts.stage)),
        TRACKERS.index(tracker_of(facts)),
        facts.type.value,
        SEVERITIES.index(facts.severity),
        facts.part.id,
        facts.owner or "",
        facts.account.id if facts.account else None,
        facts.requester.id if facts.requester else None,
        facts.deleted is not None,
        _microseconds(updated),
        _microseconds(closed_at(facts)),
        _microseconds(told),
        _stored(facts),
    )


def _part(heard: Heard[PartEvent]) -> Row:
    facts = heard.data.after
    return (
        facts.id,
        heard.sequence,
        facts.number,
        facts.parent,
        facts.name,
        facts.kind.value,
        facts.deleted is not None,
    )


def _later(known: Any, one: Any) -> Any:
    return one if known is None or one.sequence > known.sequence else known


def _microseconds(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1_000_000)


def _stored(facts: TicketFacts) -> str:
    return facts.model_dump_json(exclude_defaults=True)


def of_tickets(heard: Sequence[Heard[Any]]) -> list[Heard[TicketEvent]]:
    """Those of a batch that are about tickets."""
    return [one for one in heard if isinstance(one.data, TicketEvent)]


def of_parts(heard: Sequence[Heard[Any]]) -> list[Heard[PartEvent]]:
    """Those of a batch that are about parts."""
    return [one for one in heard if isinstance(one.data, PartEvent)]

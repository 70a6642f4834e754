"""A conversation's tickets: what it tells them, what it hears of them, and when it suggests to open one."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from deskstream.contracts import Event
from deskstream.contracts.conversation import (
    AgentReplied,
    ConversationEvent,
    ConversationOpened,
    CustomerReplied,
    DeliveryChanged,
    PutOnHold,
    ReplyWithdrawn,
    WaitEnded,
)
from deskstream.contracts.conversation_tickets import LinkedTicketsChanged, TicketSuggestionDismissed
from deskstream.contracts.facts import ConversationFacts, ReceivedMessage, Reply, Wait
from deskstream.contracts.linked import PreparedAnswer, TicketMeant
from deskstream.contracts.ticket_talk import CustomerAnswered, IssueAwaited, TicketAwaited, TicketSpokenFor
from deskstream.contracts.way_back import Ending, IssueEnded, TicketReported
from deskstream.conversation.domain import stages
from deskstream.conversation.domain.bounces import bounced, speaking_anew
from deskstream.conversation.domain.changing import changed, moved
from deskstream.conversation.domain.meant import meant, meant_before
from deskstream.conversation.domain.messages import Incoming, Message
from deskstream.conversation.domain.stages import Happening
from deskstream.conversation.domain.state import Conversation, State, Unopened
from deskstream.conversation.domain.wanted import ref_of, withdrawn
from deskstream.conversation.domain.wording import excerpt

PREPARED_LIMIT: Final = 20
TEXT_FOR_TICKET: Final = 15_000
"""Characters of the chosen messages that a ticket is given."""


def talk(state: State, message: Message, said: Sequence[Event], now: datetime) -> list[Event]:
    """What tickets and issues are told of what was said here. Most conversations have none, and tell nothing."""
    if isinstance(message, Incoming):
        return list(_answered(state, message, said, now))
    if isinstance(state, Unopened):
        return []
    told: list[Event] = []
    for event in said:
        match event:
            case AgentReplied(delivery_id=None, reply=reply):
                told += _spoken(state.facts, reply, now)
            case AgentReplied(reply=reply) if anew := speaking_anew(state, reply):
                told += _spoken(state.facts, anew, now)
            case DeliveryChanged():
                told += bounced(state, event, now)
            case ReplyWithdrawn():
                told += withdrawn(state, event, now)
            case PutOnHold():
                told += _awaited(state.facts, event.after.waits, now)
    return told


def hear_of_ticket(state: Conversation, report: TicketReported, now: datetime) -> list[Event]:
    """C8, W11: the last thing it waited for gives it back to us, with an answer prepared."""
    others = tuple(ticket for ticket in state.facts.tickets if ticket.id != report.ticket.id)
    tickets = (*others, report.ticket) if report.linked else others
    changes: dict[str, Any] = {} if tickets == state.facts.tickets else {"tickets": tickets}
    ended = _ended(state, f"TKT-{report.ticket.number}", report.ended, report.prepared, now, changes)
    if ended is not None:
        return [ended]
    if report.prepared is not None and report.linked:
        changes |= _preparing(state.facts, PreparedAnswer(work=f"TKT-{report.ticket.number}", text=report.prepared))
    if not changes:
        return []
    facts = state.facts
    return [
        LinkedTicketsChanged(
            conversation_id=facts.id, at=now, stage_before=facts.stage, after=changed(facts, **changes),
            ticket=report.ticket, linked=report.linked,
        )
    ]  # fmt: skip


def hear_of_issue(state: Conversation, report: IssueEnded, now: datetime) -> list[Event]:
    ended = _ended(state, report.name, report.ended, report.prepared, now, {})
    return [ended] if ended is not None else []


def dismiss_suggestion(facts: ConversationFacts, now: datetime) -> list[Event]:
    """C7: once, and never again."""
    if facts.ticket_suggestion_dismissed:
        return []
    after = changed(facts, ticket_suggestion_dismissed=True)
    return [TicketSuggestionDismissed(conversation_id=facts.id, at=now, stage_before=facts.stage, after=after)]


def with_suggestion(said: Sequence[Event], after: timedelta) -> list[Event]:
    """C7: every event carries from when on a ticket is suggested, as the conversation stands after it."""
    return [_with_suggestion(event, after) if isinstance(event, ConversationEvent) else event for event in said]


def _with_suggestion(event: ConversationEvent, after: timedelta) -> Event:
    at = suggests_ticket_at(event.after, after)
    if at == event.after.suggests_ticket_at:
        return event
    facts = event.after.model_copy(update={"suggests_ticket_at": at})
    return event.model_copy(update={"after": facts})


def suggests_ticket_at(facts: ConversationFacts, after: timedelta) -> datetime | None:
    """C7: so long after it was first valid, while it is not closed, has no ticket, and nobody dismissed it."""
    if facts.valid_at is None or facts.tickets or facts.ticket_suggestion_dismissed or facts.stage not in stages.OPEN:
        return None
    return facts.valid_at + after


def suggests_ticket(facts: ConversationFacts, now: datetime) -> bool:
    """Whether it suggests to open a ticket now."""
    return facts.suggests_ticket_at is not None and now >= facts.suggests_ticket_at


def prefilled(facts: ConversationFacts, chosen: Sequence[ReceivedMessage]) -> dict[str, Any]:
    """W2: a ticket's fields from the chosen messages; one message out of several speaks for itself in the title."""
    text = "\n\n".join(message.text for message in chosen)[:TEXT_FOR_TICKET]
    about = facts.model_dump(mode="json", include={"account", "workspace", "channel"})
    return {
        **about,
        "title": excerpt(chosen[0].text, 80) if chosen and not facts.title else facts.title[:300],
        "text": text,
        "requester": facts.contact.model_dump(mode="json") if facts.contact else None,
        "conversation": ref_of(facts).model_dump(mode="json"),
        "messages": [str(message.id) for message in chosen],
    }


def _answered(state: State, incoming: Incoming, said: Sequence[Event], now: datetime) -> Iterator[Event]:
    """What opens a follow-up answers the tickets of the archived conversation."""
    for event in said:
        match event:
            case CustomerReplied() if isinstance(state, Conversation):
                yield from _heard(event.after, incoming, meant(state, incoming, event.by), now)
            case ConversationOpened():
                yield from _heard(event.after, incoming, meant_before(incoming), now)


def _heard(
    facts: ConversationFacts, incoming: Incoming, meant: Sequence[TicketMeant], now: datetime
) -> Iterator[Event]:
    for one in meant:
        yield CustomerAnswered(
            ticket_id=one.ticket_id,
            at=now,
            conversation=ref_of(facts),
            message_id=incoming.message.id,
            concerns=one.concerns,
            stage=one.stage,
            passed_on=incoming.passed_on is not None,
            solved=incoming.message.solved,
        )


def _spoken(facts: ConversationFacts, reply: Reply, now: datetime) -> Iterator[Event]:
    for speaks in reply.speaks_for:
        yield TicketSpokenFor(
            ticket_id=speaks.ticket_id,
            at=now,
            conversation=ref_of(facts),
            reply_id=reply.id,
            by=reply.author,
            automatic=reply.automatic,
            speaks=speaks,
        )


def _awaited(facts: ConversationFacts, waits: Sequence[Wait], now: datetime) -> Iterator[Event]:
    for wait in waits:
        prefix, _, number = wait.name.partition("-")
        if not (number.isascii() and number.isdigit() and len(number) < 16):
            continue
        if (wait.kind, prefix) == ("ticket", "TKT"):
            yield TicketAwaited(name=wait.name, at=now, conversation=ref_of(facts))
        elif (wait.kind, prefix) == ("issue", "ISS"):
            yield IssueAwaited(name=wait.name, at=now, conversation=ref_of(facts))


def _ended(
    state: Conversation, name: str, ended: Ending | None, prepared: str | None, now: datetime, changes: dict[str, Any]
) -> Event | None:
    """The end of something that it waits for, or once did; nothing where it never did."""
    facts = state.facts
    awaited = next((wait for wait in facts.waits if wait.name == name), None)
    wait = awaited or next((wait for wait in state.once_awaited if wait.name == name), None)
    if ended is None or wait is None:
        return None
    answer = PreparedAnswer(work=name, text=prepared) if prepared is not None else None
    more = changes | (_preparing(facts, answer) if answer else {})
    if awaited is not None:
        waits = tuple(other for other in facts.waits if other != awaited)
        stage = facts.stage if waits else stages.after(Happening.LAST_WAIT_ENDS, facts.stage)
        more |= moved(facts, stage) | {"waits": waits}
    elif ended in ("completed", "wont_fix"):
        stage = stages.NEXT[Happening.ONCE_AWAITED_COMPLETES].get(facts.stage, facts.stage)
        more |= moved(facts, stage)
    return WaitEnded(
        conversation_id=facts.id,
        at=now,
        stage_before=facts.stage,
        after=changed(facts, **more),
        wait=wait,
        how=_HOW[ended],
        reason=f"{name} {_SHOWN[ended]}",
        prepared=answer,
    )


_HOW: Final[dict[Ending, Literal["completed", "cancelled", "dropped"]]] = {
    "completed": "completed",
    "dropped": "dropped",
    "cancelled": "cancelled",
    "wont_fix": "completed",
    "deleted": "cancelled",
}
_SHOWN: Final = {
    "completed": "is done",
    "dropped": "goes on without what it waited for; nobody completed that",
    "wont_fix": "will not be done",
    "cancelled": "was canceled",
    "deleted": "was deleted; nobody completed it",
}


def _preparing(facts: ConversationFacts, answer: PreparedAnswer) -> dict[str, Any]:
    kept = [other for other in facts.prepared if other.work != answer.work]
    return {"prepared": (*kept, answer)[-PREPARED_LIMIT:]}

"""Public words: an agent's for the ticket, and the customer's about it."""

from datetime import datetime
from typing import Any

from deskstream.contracts import Event, Refused
from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.ids import TicketId
from deskstream.contracts.linked import UNCLOSED, Given, SpeaksFor, TicketStage
from deskstream.contracts.links import TicketContinued, TicketJoined
from deskstream.contracts.ticket_commands import DecideAnswer, RecordAnswer, RecordCustomer
from deskstream.contracts.ticket_talk import CustomerAnswered, TicketSpokenFor
from deskstream.contracts.ticketing import AgentAnswered, CustomerWrote, TicketChanged
from deskstream.ticketing.domain.ticket import stages
from deskstream.ticketing.domain.ticket.changing import moved, said
from deskstream.ticketing.domain.ticket.describing import link_if_there_is_room
from deskstream.ticketing.domain.ticket.evolving import in_turn
from deskstream.ticketing.domain.ticket.reporting import customer_of
from deskstream.ticketing.domain.ticket.sending import reached
from deskstream.ticketing.domain.ticket.stages import Happening
from deskstream.ticketing.domain.ticket.state import Lost, Ticket
from deskstream.ticketing.domain.ticket.telling import closed_meanwhile
from deskstream.ticketing.domain.wishes import Wish


def record_answer(facts: TicketFacts, wish: Wish[RecordAnswer], now: datetime) -> list[Event]:
    """An answer by another way than a conversation."""
    asked = wish.command
    stage = stages.after(Happening.ASKED if asked.asks else Happening.WORKED_ON, facts.stage)
    if "public_link" in asked.gives and not _published(facts):
        sentence = "No linked issue has a public link. Publish one, or say that it was filed."
        raise Refused("no_public_link", sentence)
    speaks = SpeaksFor(ticket_id=facts.id, asks=asked.asks, gives=asked.gives)
    return [_answered(facts, speaks, stage, now, {"by": wish.by})]


def spoken_for(state: Ticket, talk: TicketSpokenFor, now: datetime) -> list[Event]:
    """A reply has left: nobody can refuse that, but a link that nobody published it cannot have given.

    Of what is final nothing changes by it; that its customer was told is said all the same.
    """
    facts = state.facts.model_copy(update=reached(state.facts, talk.conversation.id, None))
    told = {"by": talk.by, "reply_id": talk.reply_id, "conversation_id": talk.conversation.id}
    linked = {issue.id for issue in facts.issues}
    again = (lost for lost in state.lost if lost.reply_id == talk.reply_id and lost.issue_id in linked)
    arrives = [_told_after_all(facts, lost, now) for lost in again]
    if facts.stage in (stages.CLOSED, stages.CANCELED):
        return [said(AgentAnswered, facts, now, {}, **told), *arrives]
    happening = Happening.ASKED if talk.speaks.asks else Happening.WORKED_ON
    stage = stages.moved_on(happening, facts.stage)
    return [_answered(facts, talk.speaks, stage, now, told), *arrives]


def _told_after_all(facts: TicketFacts, lost: Lost, now: datetime) -> Event:
    """W11: an approved answer that could not be delivered was sent once more; the issue need not approve another."""
    return TicketJoined(
        issue_id=lost.issue_id,
        at=now,
        ticket_id=facts.id,
        customer=customer_of(facts),
        answered=True,
        ended_at=lost.ended_at,
    )


def _answered(facts: TicketFacts, speaks: SpeaksFor, stage: TicketStage, now: datetime, told: dict[str, Any]) -> Event:
    gives = _gives(facts, speaks)
    changes = moved(facts, stage, now) | {"given": tuple(dict.fromkeys((*facts.given, *gives))), "undecided": None}
    if speaks.asks and stage is stages.PENDING:
        changes |= {"asks": speaks.asks, "pending_since": now, "follow_ups": 0, "confirmed": None}
    return said(AgentAnswered, facts, now, changes, asks=speaks.asks, gives=gives, **told)


def _gives(facts: TicketFacts, speaks: SpeaksFor) -> tuple[Given, ...]:
    """Whoever asks whether it is solved has given an answer."""
    gives = (*speaks.gives, "answer") if speaks.asks == "confirmation" else speaks.gives
    return tuple(dict.fromkeys(one for one in gives if one != "public_link" or _published(facts)))


def _published(facts: TicketFacts) -> bool:
    return any(issue.public_link for issue in facts.issues)


def customer_answered(state: Ticket, talk: CustomerAnswered, now: datetime, *, follow_up: TicketId) -> list[Event]:
    """W3: a pending ticket is open again; another one only if the message is about it, else the agent decides."""
    if state.facts.stage is stages.CLOSED:
        return _answered_closed(state.facts, talk, now, follow_up)
    if state.facts.stage is stages.CANCELED:
        return []
    return in_turn(
        state,
        lambda then: link_if_there_is_room(then.facts, talk.conversation, now) if talk.passed_on else [],
        lambda then: _customer_wrote(then.facts, talk, now),
    )


def _answered_closed(facts: TicketFacts, talk: CustomerAnswered, now: datetime, follow_up: TicketId) -> list[Event]:
    """Where it was closed only while the customer wrote, and nobody can be sure, the agent is told."""
    if talk.solved:
        return []
    if talk.concerns != "perhaps":
        return [_continued(facts, talk, now, follow_up)]
    meanwhile = talk.stage in UNCLOSED and not facts.internal
    return [closed_meanwhile(facts, talk.conversation.id, now)] if meanwhile else []


def _customer_wrote(facts: TicketFacts, talk: CustomerAnswered, now: datetime) -> list[Event]:
    sure = talk.concerns != "perhaps"
    happening = Happening.CUSTOMER_ANSWERS_THIS if sure else Happening.CUSTOMER_ANSWERS
    stage = stages.moved_on(happening, facts.stage)
    changes: dict[str, Any] = {}
    if talk.solved is not None and (sure or facts.stage is stages.PENDING):
        changes["confirmed"] = talk.solved
    if talk.solved and facts.stage is stages.SOLVED:
        stage = facts.stage  # "Yes, it is solved" opens nothing.
    elif stage is facts.stage and facts.stage in (stages.ON_HOLD, stages.SOLVED):
        changes["undecided"] = talk.message_id
    changes = moved(facts, stage, now) | changes
    if not changes:
        return []
    told = {"conversation_id": talk.conversation.id, "message_id": talk.message_id}
    return [said(CustomerWrote, facts, now, changes, **told)]


def answered_again(state: Ticket, said: TicketContinued, now: datetime, *, follow_up: TicketId) -> list[Event]:
    """W4: another answer to a closed ticket is about the follow-up that it has already, or about that one's own, where
    it is gone."""
    talk = CustomerAnswered(
        ticket_id=state.id,
        at=now,
        conversation=said.conversation,
        message_id=said.message_id,
        concerns="this_ticket",
        passed_on=True,
    )
    if state.facts.deleted is not None or state.facts.stage is stages.CANCELED:
        return [_continued(state.facts, talk, now, follow_up)]
    return customer_answered(state, talk, now, follow_up=follow_up)


def record_customer(facts: TicketFacts, asked: RecordCustomer, now: datetime) -> list[Event]:
    """The customer said it by telephone."""
    if facts.stage in (stages.CLOSED, stages.CANCELED):
        raise stages.refusal(Happening.CUSTOMER_ANSWERS, facts.stage)
    stage = stages.moved_on(Happening.CUSTOMER_ANSWERS_THIS, facts.stage)
    if asked.confirmed and facts.stage is stages.SOLVED:
        stage = facts.stage
    changes = moved(facts, stage, now)
    if asked.confirmed is not None:
        changes["confirmed"] = asked.confirmed
    return [said(CustomerWrote, facts, now, changes)] if changes else []


def decide_answer(facts: TicketFacts, asked: DecideAnswer, now: datetime) -> list[Event]:
    if facts.undecided is None:
        raise Refused("nothing_to_decide", f"No message of the customer's waits to be decided for TKT-{facts.number}.")
    if not asked.concerns:
        return [said(TicketChanged, facts, now, {"undecided": None}, fields=("undecided",))]
    stage = stages.moved_on(Happening.CUSTOMER_ANSWERS_THIS, facts.stage)
    changes = moved(facts, stage, now) | {"undecided": None}
    return [said(CustomerWrote, facts, now, changes, message_id=facts.undecided)]


def _continued(facts: TicketFacts, talk: CustomerAnswered, now: datetime, follow_up: TicketId) -> Event:
    return TicketContinued(
        ticket_id=follow_up,
        at=now,
        follow_up_of=facts.id,
        title=facts.title,
        internal=facts.internal,
        type=facts.type,
        severity=facts.severity,
        part=facts.part,
        owner=facts.owner,
        channel=facts.channel,
        requester=facts.requester,
        account=facts.account,
        workspace=facts.workspace,
        customer_engineer=facts.customer_engineer,
        conversation=talk.conversation,
        message_id=talk.message_id,
    )

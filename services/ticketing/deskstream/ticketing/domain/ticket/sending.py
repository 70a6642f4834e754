"""What a ticket asks its conversations to send, and what becomes of it: a customer is told once it has left."""

from datetime import datetime
from typing import Any, Final, get_args

from deskstream.contracts import Event, ids
from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.ids import ConversationId, IssueId, ReplyId
from deskstream.contracts.linked import ConversationRef, NotSent, Silenced, SpeaksFor
from deskstream.contracts.links import AnswerMissed, AnswerOrdered
from deskstream.contracts.ticket_talk import ReachChanged, TicketNotSpokenFor
from deskstream.contracts.ticketing import AnswerLost, AnswerNotSent, AnswerSent, ConversationReachChanged
from deskstream.contracts.way_back import ReplyWanted
from deskstream.ticketing.domain.ticket import stages
from deskstream.ticketing.domain.ticket.changing import moved, said
from deskstream.ticketing.domain.ticket.stages import Happening
from deskstream.ticketing.domain.ticket.state import Ticket
from deskstream.ticketing.domain.ticket.wording import filled_in

_SILENCES: Final = {why: why for why in get_args(Silenced)}


def send_answer(state: Ticket, ordered: AnswerOrdered, now: datetime) -> list[Event]:
    """W11: what was approved once goes to every conversation of the ticket, and to none twice."""
    facts = state.facts
    linked = any(issue.id == ordered.issue_id for issue in facts.issues)
    if not linked or _told(state, ordered) or facts.deleted:
        return []
    why = _why_not(facts)
    if why is not None:
        missed = said(AnswerNotSent, facts, now, {}, issue_id=ordered.issue_id, why=why, by=ordered.by)
        return [missed, _missed(facts, ordered.issue_id, why, now)]
    asks = stages.moved_on(Happening.ASKED, facts.stage) is stages.PENDING
    speaks = SpeaksFor(ticket_id=facts.id, asks="confirmation" if asks else None, gives=("answer",))
    text = filled_in(ordered.text, facts)
    named = ids.object_id(facts.id, "answer", facts.version)
    replies = tuple(ReplyId(ids.object_id(named, "reply", n)) for n in range(len(facts.conversations)))
    about = {"issue_id": ordered.issue_id, "ended_at": ordered.ended_at}
    sent = said(AnswerSent, facts, now, {}, by=ordered.by, replies=replies, **about)
    wanted = [
        ReplyWanted(conversation_id=to.id, at=now, text=text, by=ordered.by, speaks_for=speaks, reply_id=reply)
        for to, reply in zip(facts.conversations, replies, strict=True)
    ]
    return [sent, *wanted]


def _told(state: Ticket, ordered: AnswerOrdered) -> bool:
    """Whether it was of this end; of one that nobody dated it counts as the same."""
    if ordered.issue_id not in state.told_of:
        return False
    return state.ends_told.get(ordered.issue_id, ordered.ended_at) == ordered.ended_at


def _why_not(facts: TicketFacts) -> NotSent | None:
    if facts.internal:
        return "internal"
    if facts.waits:
        return "still_waits"
    return None if facts.conversations else "no_conversation"


def not_spoken_for(state: Ticket, talk: TicketNotSpokenFor, now: datetime) -> list[Event]:
    """W11: the issue hears of it once no conversation of the ticket's is left that may still send it."""
    facts = state.facts
    changes = reached(facts, talk.conversation.id, _SILENCES.get(talk.why)) if talk.why in _SILENCES else {}
    if talk.why == "undeliverable":
        changes = _as_if_never_said(state, talk.reply_id, now)
    about = {"reply_id": talk.reply_id, "conversation_id": talk.conversation.id, "by": talk.by}
    on_the_way = (*state.handed, *state.left)
    handed = next((one for one in on_the_way if one.reply_id == talk.reply_id), None)
    if handed is not None:
        not_sent = said(AnswerNotSent, facts, now, changes, why=talk.why, issue_id=handed.issue_id, **about)
        others = any(one.issue_id == handed.issue_id for one in on_the_way if one is not handed)
        return [not_sent] if others else [not_sent, _missed(facts, handed.issue_id, talk.why, now)]
    if talk.why == "undeliverable":
        return [said(AnswerLost, facts, now, changes, **about)]
    return _reach_changed(facts, talk.conversation.id, changes, now)


def _as_if_never_said(state: Ticket, reply: ReplyId, now: datetime) -> dict[str, Any]:
    """C17, W4: nobody is silent who was not asked, and nothing was given that never arrived."""
    facts, changes = state.facts, dict[str, Any]()
    if state.silence is not None and set(state.silence.questions) == {reply}:
        changes |= moved(facts, stages.moved_on(Happening.QUESTION_LOST, facts.stage), now)
    lost = {given for one in state.gave if one.reply_id == reply for given in one.gives}
    kept = {given for one in state.gave if one.reply_id != reply for given in one.gives}
    if lost - kept:
        changes["given"] = tuple(given for given in facts.given if given not in lost - kept)
    return changes


def reach_changed(state: Ticket, talk: ReachChanged, now: datetime) -> list[Event]:
    """Nothing where that is known."""
    where = talk.conversation
    return _reach_changed(state.facts, where.id, reached(state.facts, where.id, where.silenced), now)


def reached(facts: TicketFacts, conversation: ConversationId, silenced: Silenced | None) -> dict[str, Any]:
    """What changes when something can, or cannot, be sent in a conversation."""
    conversations = tuple(
        known.model_copy(update={"silenced": silenced}) if known.id == conversation else known
        for known in facts.conversations
    )
    return {} if conversations == facts.conversations else {"conversations": conversations}


def _reach_changed(
    facts: TicketFacts, conversation: ConversationId, changes: dict[str, Any], now: datetime
) -> list[Event]:
    if not changes:
        return []
    known: tuple[ConversationRef, ...] = changes["conversations"]
    (ref,) = (one for one in known if one.id == conversation)
    return [said(ConversationReachChanged, facts, now, changes, conversation=ref)]


def _missed(facts: TicketFacts, issue: IssueId, why: NotSent, now: datetime) -> Event:
    return AnswerMissed(issue_id=issue, at=now, ticket_id=facts.id, ticket_number=facts.number, why=why)

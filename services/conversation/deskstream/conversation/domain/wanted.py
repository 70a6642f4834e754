"""What tickets ask to send or to note, and what they hear of it: that it left, or why it does not."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from deskstream.contracts import Event, ids
from deskstream.contracts.conversation import ConversationEvent, NoteAdded, ReplyWithdrawn
from deskstream.contracts.facts import ConversationFacts, Note, Reply, Stage
from deskstream.contracts.ids import NoteId
from deskstream.contracts.linked import ConversationRef, NotSent, Silenced
from deskstream.contracts.ticket_talk import ReachChanged, TicketNotSpokenFor
from deskstream.conversation.domain.changing import changed
from deskstream.conversation.domain.discretion import OURSELVES, note_of_silence, tells
from deskstream.conversation.domain.messages import SendWanted, TakeNote
from deskstream.conversation.domain.replying import hindrance, leave
from deskstream.conversation.domain.state import Conversation, State, Unopened

_SILENT: Final[dict[Stage, Silenced]] = {Stage.ARCHIVED: "archived", Stage.SUSPENDED: "suspended"}

_HINDERED: Final[dict[str, NotSent]] = {
    "reply_is_too_large": "too_large",
    "too_many_replies_queued": "queue_full",
}

_WHY: Final[dict[NotSent, str]] = {
    "archived": "this conversation is archived. Write to the customer in a new one, and link it to the ticket",
    "suspended": "this conversation is suspended. Review it as valid, and approve the answer once more",
    "no_adapter": "nothing sends on this channel. Tell the customer by another way, and record it at the ticket",
    "too_large": "it is too large. Approve a shorter one",
    "queue_full": "too many replies wait here to be released. Approve it once more in a moment",
}


def send_wanted(state: Conversation, message: SendWanted, now: datetime) -> list[Event]:
    """What a ticket asks to send: an answer that somebody approved can be undone, a reminder leaves at once.

    Nobody asked who could be refused. So what is not sent is said to the ticket; of an answer, and of what tells of a
    confidential issue, there is a note for whoever has to act.
    """
    facts, reply = state.facts, _reply(state.facts, message, now)
    if told := tells(facts, reply, message.confidential):
        return [note_of_silence(facts, reply, told, now), *_not_sent(facts, reply, "confidential", now)]
    why: NotSent | None = silenced(facts, message.sending.channels)
    if why is None and (no := hindrance(state, reply, now)):
        why = _HINDERED[no.code]
    if why is None:
        return leave(state, reply, drops=(), now=now)
    noted = [] if reply.automatic else [_note(facts, reply, why, now)]
    return [*noted, *_not_sent(facts, reply, why, now)]


def send_nowhere(state: Unopened, message: SendWanted, now: datetime) -> list[Event]:
    """The conversation does not exist, and a ticket that is linked to it would wait for ever."""
    wanted = message.wanted
    return [
        TicketNotSpokenFor(
            ticket_id=wanted.speaks_for.ticket_id,
            at=now,
            conversation=ConversationRef(id=state.id, number=state.number),
            reply_id=message.reply_id,
            by=wanted.by,
            automatic=wanted.by is None,
            why="unknown_conversation",
        )
    ]


def withdrawn(state: Conversation, event: ReplyWithdrawn, now: datetime) -> list[Event]:
    """A reply that waited leaves no more; a note stands here where nobody undid it."""
    reply = next(queued.reply for queued in state.queued if queued.reply.id == event.reply_id)
    telling = tells(state.facts, reply, state.confidential)
    return _not_sent(state.facts, reply, "confidential" if telling else "withdrawn", now)


def take_note(state: Conversation, message: TakeNote, now: datetime) -> list[Event]:
    """W4: whoever is told something finds it here, whatever became of the conversation meanwhile."""
    wanted, facts = message.wanted, state.facts
    note = Note(id=message.note_id, author=OURSELVES, text=wanted.text, mentions=wanted.mentions)
    return [NoteAdded(conversation_id=facts.id, at=now, stage_before=facts.stage, after=changed(facts), note=note)]


def silenced(facts: ConversationFacts, channels: frozenset[str]) -> Silenced | None:
    """Why nothing can be sent here; None where something can."""
    return _SILENT.get(facts.stage) or (None if facts.channel in channels else "no_adapter")


def reach(state: State, said: Sequence[Event], channels: frozenset[str], now: datetime) -> list[Event]:
    """What tickets hear once nothing can be sent here any more, or something can again; a new one, if nothing can."""
    last = next((event for event in reversed(said) if isinstance(event, ConversationEvent)), None)
    if isinstance(state, Unopened) or last is None or not last.after.tickets:
        return []
    before, after = silenced(state.facts, channels), silenced(last.after, channels)
    known = {ticket.id for ticket in state.facts.tickets}
    ref = ref_of(last.after).model_copy(update={"silenced": after})
    return [
        ReachChanged(ticket_id=ticket.id, at=now, conversation=ref)
        for ticket in last.after.tickets
        if (before if ticket.id in known else None) != after
    ]


def ref_of(facts: ConversationFacts) -> ConversationRef:
    """A conversation as tickets name it."""
    return ConversationRef(id=facts.id, number=facts.number, channel=facts.channel)


def _reply(facts: ConversationFacts, message: SendWanted, now: datetime) -> Reply:
    wanted = message.wanted
    return Reply(
        id=message.reply_id,
        author=wanted.by or facts.owner or OURSELVES,
        text=wanted.text,
        automatic=wanted.by is None,
        asks_solved=wanted.speaks_for.asks == "confirmation",
        written_at=now,
        release_at=now if wanted.by is None else now + message.sending.undo,
        speaks_for=(wanted.speaks_for,),
    )


def _not_sent(facts: ConversationFacts, reply: Reply, why: NotSent, now: datetime) -> list[Event]:
    return [
        TicketNotSpokenFor(
            ticket_id=speaks.ticket_id,
            at=now,
            conversation=ref_of(facts),
            reply_id=reply.id,
            by=reply.author,
            automatic=reply.automatic,
            why=why,
        )
        for speaks in reply.speaks_for
    ]


def _note(facts: ConversationFacts, reply: Reply, why: NotSent, now: datetime) -> Event:
    """To whoever approved the answer, who has to act, and to whoever owns the conversation."""
    numbers = {ticket.id: f"TKT-{ticket.number}" for ticket in facts.tickets}
    tickets = ", ".join(numbers.get(speaks.ticket_id, "a ticket") for speaks in reply.speaks_for)
    text = f"@{reply.author} The answer that you approved for {tickets} was not sent: {_WHY[why]}.\n\n{reply.text}"
    readers = tuple(dict.fromkeys(reader for reader in (reply.author, facts.owner) if reader))
    note = Note(id=NoteId(ids.object_id(reply.id, "silence")), author=OURSELVES, text=text, mentions=readers)
    return NoteAdded(conversation_id=facts.id, at=now, stage_before=facts.stage, after=changed(facts), note=note)

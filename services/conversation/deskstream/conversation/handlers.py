"""What this service hears and answers."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from deskstream.contracts import Event, ids
from deskstream.contracts.confidential import ConfidentialityChanged, named_in
from deskstream.contracts.conversation import (
    AddNote,
    AddParticipant,
    AgentReplied,
    Archive,
    ChangeTags,
    EndSnooze,
    EndWait,
    FindConversation,
    Hold,
    MessagePassedOn,
    NoteAdded,
    ReplyQueued,
    Resolve,
    RetryReply,
    Review,
    SendReply,
    SetPriority,
    SetTitle,
    Share,
    Snooze,
    StartConversation,
    UndoReply,
)
from deskstream.contracts.conversation_tickets import DismissTicketSuggestion, PrefillTicket
from deskstream.contracts.crm import SenderIdentified
from deskstream.contracts.ids import AgentId, ConversationId, NoteId, ReplyId
from deskstream.contracts.ingest import DeliveryNoted
from deskstream.contracts.routing import OwnerChosen
from deskstream.contracts.way_back import IssueEnded, NoteWanted, ReplyWanted, TicketReported
from deskstream.conversation import store
from deskstream.conversation.domain import Conversation, State, decide, due, evolve
from deskstream.conversation.domain.discretion import shown_of
from deskstream.conversation.domain.messages import (
    Incoming,
    Join,
    Message,
    Retitle,
    SendAgain,
    Sending,
    SendWanted,
    Start,
    TakeNote,
    TimeCame,
    WriteNote,
    WriteReply,
)
from deskstream.conversation.domain.tickets import suggests_ticket, with_suggestion
from deskstream.conversation.domain.wanted import reach
from deskstream.messaging import Absorb, Aggregate, Answer, Due, Heard, On, Project, Query, Tx
from deskstream.messaging.declare import Answers, Hears
from deskstream.messaging.declare import Resolve as LookUp


def conversations(suggest_after: timedelta, channels: frozenset[str]) -> Aggregate:
    """Conversations, which suggest a ticket so long after they were first valid (C7); `channels` have an adapter."""
    return Aggregate(
        name="conversation",
        load=store.load,
        save=store.save,
        decide=partial(_decide, suggest_after, channels),
        evolve=evolve,
        due=due,
        # What opens a conversation comes once and in order; a copy in another replica runs into the messages' key.
        locks=False,
    )


def _decide(
    suggest_after: timedelta, channels: frozenset[str], state: State, message: Message | Due, now: datetime
) -> Sequence[Event]:
    said = decide(state, TimeCame() if isinstance(message, Due) else message, now)
    return with_suggestion([*said, *reach(state, said, channels, now)], suggest_after)


def _of(message: Any) -> ConversationId:
    named: ConversationId = message.conversation_id
    return named


def _incoming(answered: frozenset[str], heard: Heard[SenderIdentified]) -> Incoming:
    said = heard.data
    return Incoming(
        conversation_id=ConversationId(said.thread_id),
        message=said.message,
        follow_up_id=_new_conversation(heard),
        contact=said.contact,
        account=said.account,
        workspace=said.workspace,
        answered=said.message.channel in answered,
    )


def _passed_on(answered: frozenset[str], heard: Heard[MessagePassedOn]) -> Incoming:
    said = heard.data
    return Incoming(
        conversation_id=said.follow_up_id,
        message=said.message,
        follow_up_id=_new_conversation(heard),
        passed_on=said,
        answered=said.message.channel in answered,
    )


def hears(of: Aggregate, answered: frozenset[str], sending: Sending) -> list[Hears]:
    """`answered` are the channels whose adapters are told where each of their messages went."""
    return [
        On(SenderIdentified, of, key=_of, becomes=partial(_incoming, answered)),
        On(MessagePassedOn, of, key=_of, becomes=partial(_passed_on, answered)),
        On(DeliveryNoted, of, key=_of),
        Absorb(OwnerChosen, of, key=_of),
        On(TicketReported, of, key=_of),
        On(IssueEnded, of, key=_of),
        On(ReplyWanted, of, key=_of, resolve=partial(_wanted, sending)),
        On(NoteWanted, of, key=_of, becomes=_note_wanted),
        Project((ConfidentialityChanged,), store.keep_secret),
    ]


def answers(of: Aggregate, sending: Sending) -> list[Answers]:
    """The commands; `sending` says how replies leave."""
    return [
        _answer(of, StartConversation, resolve=partial(_start, sending)),
        _answer(of, SendReply, resolve=partial(_write_reply, sending)),
        _answer(of, UndoReply),
        _answer(of, RetryReply, resolve=_send_again),
        _answer(of, AddNote, becomes=_write_note),
        _answer(of, SetTitle, resolve=_retitle),
        _answer(of, AddParticipant, becomes=_join),
        _answer(of, ChangeTags),
        _answer(of, SetPriority),
        _answer(of, Share),
        _answer(of, Snooze),
        _answer(of, EndSnooze),
        _answer(of, Hold),
        _answer(of, EndWait),
        _answer(of, Resolve),
        _answer(of, Archive),
        _answer(of, Review),
        _answer(of, DismissTicketSuggestion),
        Query(FindConversation, _find),
        Query(PrefillTicket, store.prefill),
    ]


def shown(state: Conversation, said: Sequence[Event]) -> dict[str, Any]:
    """What every command is answered: the public state, and the reply or note that was written."""
    result = {"conversation": state.facts.model_dump(mode="json")}
    for event in said:
        if isinstance(event, (ReplyQueued, AgentReplied)):
            result["reply"] = event.reply.model_dump(mode="json")
        elif isinstance(event, NoteAdded):
            result["note"] = event.note.model_dump(mode="json")
    return result


def _answer(
    of: Aggregate,
    kind: type[Any],
    becomes: Callable[[Heard[Any]], Any] | None = None,
    resolve: LookUp | None = None,
) -> Answer:
    return Answer(kind, of, key=_of, becomes=becomes, resolve=resolve, result=shown)


async def _start(sending: Sending, tx: Tx, heard: Sequence[Heard[StartConversation]], now: datetime) -> list[Start]:
    named = named_in(text for one in heard for text in (one.data.title, one.data.text))
    known = await store.confidential(tx, named)
    return [Start(_new_conversation(one), _new_reply(one), _agent(one), one.data, sending, known) for one in heard]


async def _write_reply(sending: Sending, tx: Tx, heard: Sequence[Heard[SendReply]], now: datetime) -> list[WriteReply]:
    texts = [text for one in heard for text in (one.data.text, *(file.name for file in one.data.attachments))]
    known = await _confidential(tx, [_of(one.data) for one in heard], texts)
    return [WriteReply(_of(one.data), _new_reply(one), _agent(one), one.data, sending, known) for one in heard]


async def _send_again(tx: Tx, heard: Sequence[Heard[RetryReply]], now: datetime) -> list[SendAgain]:
    found = await store.replies(tx, [one.data for one in heard])
    texts = [text for reply in found.values() for text in shown_of("", reply)]
    known = await _confidential(tx, [_of(one.data) for one in heard], texts)
    return [
        SendAgain(_of(one.data), one.data.reply_id, _new_reply(one), found.get(one.data.reply_id), known)
        for one in heard
    ]


async def _wanted(sending: Sending, tx: Tx, heard: Sequence[Heard[ReplyWanted]], now: datetime) -> list[SendWanted]:
    known = await _confidential(tx, [_of(one.data) for one in heard], [one.data.text for one in heard])
    return [SendWanted(_of(one.data), one.data.reply_id or _new_reply(one), one.data, sending, known) for one in heard]


async def _retitle(tx: Tx, heard: Sequence[Heard[SetTitle]], now: datetime) -> list[Retitle]:
    known = await store.confidential(tx, named_in(one.data.title for one in heard))
    return [Retitle(_of(one.data), one.data, known) for one in heard]


async def _confidential(tx: Tx, conversations: Sequence[ConversationId], texts: Iterable[str]) -> frozenset[str]:
    """Which confidential names stand in these texts, or in the titles that leave above them (W12)."""
    titles = await store.titles(tx, conversations)
    return await store.confidential(tx, named_in([*titles, *texts]))


def _note_wanted(heard: Heard[NoteWanted]) -> TakeNote:
    return TakeNote(heard.data.conversation_id, NoteId(ids.object_id(heard.id, "note")), heard.data)


async def _find(tx: Tx, asked: FindConversation) -> dict[str, Any]:
    facts, now = await store.find(tx, asked)
    return {
        "conversation": facts.model_dump(mode="json"),
        "suggests_ticket": suggests_ticket(facts, now),
    }


def _write_note(heard: Heard[AddNote]) -> WriteNote:
    note_id = NoteId(ids.object_id(heard.id, "note"))
    return WriteNote(heard.data.conversation_id, note_id, _agent(heard), heard.data)


def _join(heard: Heard[AddParticipant]) -> Join:
    return Join(heard.data.conversation_id, _agent(heard), heard.data)


def _new_conversation(heard: Heard[Any]) -> ConversationId:
    return ConversationId(ids.object_id(heard.id, "conversation"))


def _new_reply(heard: Heard[Any]) -> ReplyId:
    return ReplyId(ids.object_id(heard.id, "reply"))


def _agent(heard: Heard[Any]) -> AgentId | None:
    return AgentId(heard.actor) if heard.actor else None

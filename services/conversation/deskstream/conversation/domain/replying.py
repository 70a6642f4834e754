"""How an agent answers: checked against what others wrote (C16), queued for its undo time (C17), undone, retried."""

from datetime import datetime
from typing import Any, Final

from deskstream.contracts import Event, Refused
from deskstream.contracts.conversation import ReplyQueued, SendReply
from deskstream.contracts.facts import ConversationFacts, Reply
from deskstream.contracts.ids import AgentId, ReplyId
from deskstream.contracts.inbound import DeliveryState
from deskstream.contracts.linked import TicketStage
from deskstream.conversation.domain import stages
from deskstream.conversation.domain.changing import changed
from deskstream.conversation.domain.discretion import insist_on_discretion
from deskstream.conversation.domain.evolving import in_turn
from deskstream.conversation.domain.messages import SendAgain, WriteReply
from deskstream.conversation.domain.releasing import release, release_again, withdrawn
from deskstream.conversation.domain.remembering import by_others
from deskstream.conversation.domain.stages import Happening
from deskstream.conversation.domain.state import QUEUE_LIMIT, Conversation, QueuedReply
from deskstream.conversation.domain.wording import written

AUTHOR_LIMIT: Final = 64
REPLY_LIMIT: Final = 48 * 1024
"""Bytes of a reply in an event, files' names and escapes included; what else travels with it needs room, too."""

_LOCKED: Final = frozenset({TicketStage.CLOSED, TicketStage.CANCELED})


def write(state: Conversation, message: WriteReply, now: datetime) -> list[Event]:
    """Queued, or released at once where nothing can be undone."""
    asked, author = message.asked, writer_of(message.by)
    stages.after(Happening.AGENT_REPLIES, state.facts.stage)
    insist_on_adapter(state.facts.channel, message.sending.channels)
    _insist_on_drops(state, asked)
    _insist_on_stored_files(asked)
    _insist_on_tickets(state.facts, asked)
    _insist_on_having_seen(state, asked, author)
    reply = Reply(
        id=message.reply_id,
        author=author,
        text=written(asked.text),
        signal=asked.signal,
        asks_solved=asked.asks_solved,
        attachments=asked.attachments,
        written_at=now,
        release_at=now + message.sending.undo,
        speaks_for=asked.speaks_for,
    )
    insist_on_discretion(state.facts, reply, message.confidential)
    return leave(state, reply, drops=asked.drops, now=now)


def leave(state: Conversation, reply: Reply, *, drops: tuple[str, ...], now: datetime) -> list[Event]:
    """Out it goes, after its undo time. Raises `Refused` when no message would hold it."""
    if no := hindrance(state, reply, now):
        raise no
    if reply.release_at <= now:
        return release(state, QueuedReply(reply, state.facts.version + 1, drops), now)
    facts = state.facts
    return [
        ReplyQueued(
            conversation_id=facts.id,
            at=now,
            stage_before=facts.stage,
            after=changed(facts),
            reply=reply,
            drops=drops,
        )
    ]


def hindrance(state: Conversation, reply: Reply, now: datetime) -> Refused | None:
    """Why a reply cannot leave: no message would hold it, or too many wait."""
    size = len(reply.model_dump_json().encode())
    if size > REPLY_LIMIT:
        sentence = f"The reply takes {size} bytes; {REPLY_LIMIT} fit. Shorten it, or attach fewer files."
        return Refused("reply_is_too_large", sentence, size=size, limit=REPLY_LIMIT)
    if reply.release_at > now and len(state.queued) >= QUEUE_LIMIT:
        sentence = f"{QUEUE_LIMIT} replies wait here to be released already. Try again in a moment."
        return Refused("too_many_replies_queued", sentence, limit=QUEUE_LIMIT)
    return None


def undo(state: Conversation, reply_id: ReplyId, now: datetime) -> list[Event]:
    """As long as it is here."""
    for queued in state.queued:
        if queued.reply.id == reply_id:
            return [withdrawn(state, queued, now)]
    if any(delivery.reply_id == reply_id for delivery in state.deliveries):
        raise Refused("reply_has_left", "The reply was released already and cannot be undone. Write another one.")
    raise _unknown_reply()


def withdraw_all(state: Conversation, now: datetime) -> list[Event]:
    """Nothing that waits leaves any more."""
    return in_turn(state, *([lambda then: [withdrawn(then, then.queued[0], now)]] * len(state.queued)))


def send_again(state: Conversation, message: SendAgain, now: datetime) -> list[Event]:
    """A failed reply leaves once more, at once, under an id of its own: reports on the lost one no longer matter."""
    known = next((d for d in state.deliveries if d.reply_id == message.reply_id), None)
    if known is None or message.reply is None:
        raise _unknown_reply()
    if known.state is not DeliveryState.FAILED:
        sentence = f"The reply is {known.state}; only a failed one can be sent again."
        raise Refused("reply_has_not_failed", sentence, state=known.state.value)
    stages.after(Happening.AGENT_REPLIES, state.facts.stage)
    insist_on_discretion(state.facts, message.reply, message.confidential)
    return release_again(state, known, message, now)


def writer_of(by: AgentId | None) -> AgentId:
    """Who writes. Raises `Refused` when nobody says, or not in the way agents are named."""
    if not by or len(by) > AUTHOR_LIMIT or not by.isprintable():
        sentence = f"No author is named. Say as which agent you ask: a handle of up to {AUTHOR_LIMIT} characters."
        raise Refused("author_is_missing", sentence)
    return by


def insist_on_adapter(channel: str, channels: frozenset[str]) -> None:
    """A reply that no adapter would hear would wait for ever."""
    if channel not in channels:
        sentence = f"Nothing sends on the channel {channel}. Answer on one of: {', '.join(sorted(channels))}."
        raise Refused("channel_sends_nothing", sentence, channel=channel)


def _insist_on_drops(state: Conversation, asked: SendReply) -> None:
    if not asked.drops:
        return
    if asked.signal:
        raise Refused("signal_drops_nothing", "A mere signal changes no stage. Send an answer, or drop it by itself.")
    names = [wait.name for wait in state.facts.waits]
    unknown = [name for name in asked.drops if name not in names]
    if unknown:
        raise Refused("not_waiting_for", f"It does not wait for {', '.join(unknown)}.", waits=names)


def _insist_on_tickets(facts: ConversationFacts, asked: SendReply) -> None:
    """A reply speaks for tickets of its conversation that can still be spoken for."""
    linked = {ticket.id: ticket for ticket in facts.tickets}
    for speaks in asked.speaks_for:
        ticket = linked.get(speaks.ticket_id)
        if ticket is None:
            raise Refused("ticket_not_linked", "The reply speaks for a ticket that is not linked here. Link it first.")
        if ticket.stage in _LOCKED:
            raise Refused(f"ticket_is_{ticket.stage.value}", f"TKT-{ticket.number} is {ticket.stage.value}, and final.")


def _insist_on_stored_files(asked: SendReply) -> None:
    for file in asked.attachments:
        if file.sha256 is None or file.content_base64 is not None:
            sentence = f"{file.name[:100]} is not stored yet. Upload it first, and name it by its sha256."
            raise Refused("attachment_is_not_stored", sentence, name=file.name[:100])


def _insist_on_having_seen(state: Conversation, asked: SendReply, author: AgentId) -> None:
    version = state.facts.version
    if asked.last_seen > version:
        sentence = f"Nobody can have seen version {asked.last_seen}: the conversation is at {version}."
        raise Refused("last_seen_is_ahead", sentence, version=version)
    news = by_others(state.remarks, author, asked.last_seen)
    if not news or asked.confirm:
        return
    shown: list[dict[str, Any]] = [
        {"version": r.version, "kind": r.kind.value, "author": r.author, "text": r.excerpt} for r in news
    ]
    sentence = "Somebody else wrote since you last looked. Read what is new, then confirm or change your reply."
    raise Refused("newer_messages", sentence, version=version, newer=shown)


def _unknown_reply() -> Refused:
    return Refused("reply_not_found", "There is no such reply here, or it is too long ago.")

"""The moment a reply leaves: now stage and clocks change (C17), and the channel's adapter gets it."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

from deskstream.contracts import Event
from deskstream.contracts.conversation import AgentReplied, ReplyWithdrawn
from deskstream.contracts.facts import ConversationFacts, Reply
from deskstream.contracts.ids import ReplyId
from deskstream.contracts.outbound import OutboundMessage
from deskstream.conversation.domain import people, stages
from deskstream.conversation.domain.changing import changed, moved, still_unanswered
from deskstream.conversation.domain.discretion import note_of_silence, tells
from deskstream.conversation.domain.evolving import in_turn
from deskstream.conversation.domain.messages import SendAgain
from deskstream.conversation.domain.reports import answers
from deskstream.conversation.domain.stages import Happening
from deskstream.conversation.domain.state import Conversation, Delivery, QueuedReply


def release(state: Conversation, queued: QueuedReply, now: datetime) -> list[Event]:
    """Said, and handed to the channel."""
    reply = queued.reply
    changes = _answered(state.facts, queued.drops, queued.overtaken_at) if answers(reply) else {}
    after = changed(state.facts, last_public_at=now, **changes)
    said = AgentReplied(conversation_id=state.id, at=now, stage_before=state.facts.stage, after=after, reply=reply)
    return [said, _outbound(state, reply, reply.id, now)]


def release_all(state: Conversation, queued: Iterable[QueuedReply], now: datetime) -> list[Event]:
    """One after another, in the order they were written; what tells of an issue that became confidential is kept."""
    return in_turn(state, *(partial(_release_later, each, now) for each in queued))


def withdrawn(state: Conversation, queued: QueuedReply, now: datetime) -> Event:
    """The event that a queued reply leaves no more."""
    facts = state.facts
    return ReplyWithdrawn(
        conversation_id=facts.id, at=now, stage_before=facts.stage, after=changed(facts), reply_id=queued.reply.id
    )


def release_again(state: Conversation, failed: Delivery, again: SendAgain, now: datetime) -> list[Event]:
    """A lost reply counts as sent now; one that only failed for the moment has counted all the time."""
    assert again.reply is not None
    reply = again.reply
    changes = _answered(state.facts, (), failed.overtaken_at) if failed.lost and answers(reply) else {}
    after = changed(state.facts, last_public_at=now, **changes)
    said = AgentReplied(
        conversation_id=state.id,
        at=now,
        stage_before=state.facts.stage,
        after=after,
        reply=reply,
        delivery_id=again.delivery_id,
    )
    return [said, _outbound(state, reply, again.delivery_id, now)]


def _release_later(queued: QueuedReply, now: datetime, state: Conversation) -> list[Event]:
    told = tells(state.facts, queued.reply, state.confidential)
    if not told:
        return release(state, queued, now)
    return in_turn(
        state,
        lambda then: [withdrawn(then, queued, now)],
        lambda then: [note_of_silence(then.facts, queued.reply, told, now)],
    )


def _answered(facts: ConversationFacts, drops: tuple[str, ...], overtaken_at: datetime | None) -> dict[str, Any]:
    """What an answer changes. It answers what was there when it was written: a message that came in during its undo
    time still needs a response, as if it had come a moment after the release."""
    waits = tuple(wait for wait in facts.waits if wait.name not in drops)
    last_dropped = bool(facts.waits) and not waits
    stage = stages.after(Happening.ANSWER_DROPS_LAST_WAIT if last_dropped else Happening.AGENT_REPLIES, facts.stage)
    unanswered = still_unanswered(facts.oldest_unanswered_at, overtaken_at)
    if unanswered is not None and stage is stages.WAITING_ON_USER:
        stage = stages.after(Happening.CUSTOMER_REPLIES, stage)
    return {
        "waits": waits,
        **moved(facts, stage),
        **({"prepared": ()} if facts.prepared else {}),
        "oldest_unanswered_at": unanswered,
        "public_replies": facts.public_replies + 1,
    }


def _outbound(state: Conversation, reply: Reply, delivery_id: ReplyId, now: datetime) -> Event:
    facts = state.facts
    return OutboundMessage(
        at=now,
        conversation_id=facts.id,
        number=facts.number,
        reply_id=delivery_id,
        channel=facts.channel,
        inbox=facts.inbox,
        to=state.requester,
        copied=people.copied(state),
        author=reply.author,
        title=facts.title,
        text=reply.text,
        asks_solved=reply.asks_solved,
        automatic=reply.automatic,
        # Nothing else speaks by itself for a ticket.
        reminds=reply.automatic and bool(reply.speaks_for),
        in_reply_to=state.answered_id,
        references=state.references,
        attachments=reply.attachments,
    )

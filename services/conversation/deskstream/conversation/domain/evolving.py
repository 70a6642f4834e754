"""What each event changes. `facts` come with the conversation's own events; the rest is remembered beside them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce

from deskstream.contracts import Event
from deskstream.contracts.conversation import (
    AgentReplied,
    AutomaticMessageFiled,
    ConversationEvent,
    ConversationOpened,
    CustomerReplied,
    DeliveryChanged,
    FollowUpNeeded,
    NoteAdded,
    ParticipantAdded,
    PriorityChanged,
    ReplyQueued,
    ReplyWithdrawn,
    WaitEnded,
)
from deskstream.contracts.facts import ReceivedMessage, Reply
from deskstream.contracts.inbound import DeliveryState
from deskstream.contracts.routing import OwnerChosen
from deskstream.conversation.domain import people
from deskstream.conversation.domain.changing import heard_at, oldest
from deskstream.conversation.domain.remembering import referenced, remembered
from deskstream.conversation.domain.reports import answers, heir_of, is_final_failure
from deskstream.conversation.domain.state import (
    DELIVERIES_LIMIT,
    ONCE_AWAITED_LIMIT,
    Conversation,
    Delivery,
    Filed,
    Marked,
    MessageKind,
    QueuedReply,
    Remark,
    State,
    Unopened,
)
from deskstream.conversation.domain.wording import excerpt, label


def evolve(state: State, event: Event) -> State:
    """The state after an event; the same state for events that do not concern it."""
    if isinstance(state, Unopened):
        return _opened(event) if isinstance(event, ConversationOpened) else state
    return _evolve(state, event)


def in_turn(state: Conversation, *steps: Callable[[Conversation], Sequence[Event]]) -> list[Event]:
    """What several decisions say one after another, each on what the one before it left."""
    said: list[Event] = []
    for step in steps:
        news = step(state)
        state = reduce(_evolve, news, state)
        said += news
    return said


def _evolve(state: Conversation, event: Event) -> Conversation:
    if isinstance(event, OwnerChosen):
        return _owned(state, event)
    if not isinstance(event, ConversationEvent):
        return state
    after = _told(state, event)
    return _keeping_waits(state, after, event) if state.facts.waits or state.once_awaited else after


def _told(state: Conversation, event: ConversationEvent) -> Conversation:
    match event:
        case CustomerReplied():
            return _heard(state, event, event.message, event.by)
        case AgentReplied():
            return _released(state, event)
        case ReplyQueued():
            return _queued(state, event)
        case ReplyWithdrawn():
            return _withdrawn(state, event)
        case DeliveryChanged():
            return _reported(state, event)
        case AutomaticMessageFiled():
            return replace(state, facts=event.after, filed=(*state.filed, _automatic(event, event.message)))
        case NoteAdded():
            return _noted(state, event)
        case ParticipantAdded():
            return replace(state, facts=event.after, participants=people.added(state.participants, event.participant))
        case PriorityChanged():
            return replace(state, facts=event.after, priority_by_hand=True)
        case FollowUpNeeded():
            return replace(state, facts=event.after, follow_up=event.follow_up_id)
        case _:
            return replace(state, facts=event.after)


def _opened(event: ConversationOpened) -> Conversation:
    message, after = event.message, event.after
    requester = event.requester or (message.sender if message else None)
    if requester is None:
        raise ValueError("an opening event names the requester, or the message whose sender it is")
    state = Conversation(facts=after, requester=requester)
    if message is None:
        return state
    if message.automatic is not None:
        return replace(state, filed=(_automatic(event, message),))
    return _heard(state, event, message, people.who_wrote(state, message, None))


def _automatic(event: ConversationEvent, message: ReceivedMessage) -> Filed:
    return Filed(event.after.version, message.id, MessageKind.AUTOMATIC, heard_at(message, event.at), message)


def _heard(
    state: Conversation, event: ConversationOpened | CustomerReplied, message: ReceivedMessage, by: people.Writer
) -> Conversation:
    version = event.after.version
    requester = message.sender if by == "requester" else state.requester
    known = by != "stranger"
    at = heard_at(message, event.at)
    return replace(
        state,
        facts=event.after,
        requester=requester,
        participants=people.joined(state, message, by, first=version == 1 and event.after.follow_up_of is None),
        answered_id=message.external_id if known else state.answered_id,
        references=referenced(state.references, message.external_id) if known else state.references,
        remarks=remembered(
            state.remarks, Remark(version, MessageKind.CUSTOMER, label(message.sender), excerpt(message.text))
        ),
        queued=tuple(q if q.overtaken_at else replace(q, overtaken_at=at) for q in state.queued),
        deliveries=tuple(d if d.overtaken_at else replace(d, overtaken_at=at) for d in state.deliveries),
        filed=(*state.filed, Filed(version, message.id, MessageKind.CUSTOMER, at, message)),
    )


def _owned(state: Conversation, event: OwnerChosen) -> Conversation:
    priority = state.facts.priority if state.priority_by_hand else event.priority
    return replace(state, facts=state.facts.model_copy(update={"owner": event.owner, "priority": priority}))


def _queued(state: Conversation, event: ReplyQueued) -> Conversation:
    version = event.after.version
    written = _written(state, event.reply, version)
    return replace(
        written, facts=event.after, queued=(*state.queued, QueuedReply(event.reply, version, drops=event.drops))
    )


def _written(state: Conversation, reply: Reply, version: int) -> Conversation:
    remark = Remark(version, MessageKind.REPLY, reply.author, excerpt(reply.text))
    filed = Filed(version, reply.id, MessageKind.REPLY, reply.written_at, reply)
    return replace(state, remarks=remembered(state.remarks, remark), filed=(*state.filed, filed))


def _withdrawn(state: Conversation, event: ReplyWithdrawn) -> Conversation:
    gone = next(q for q in state.queued if q.reply.id == event.reply_id)
    return replace(
        state,
        facts=event.after,
        queued=tuple(q for q in state.queued if q is not gone),
        remarks=tuple(r for r in state.remarks if r.version != gone.position),
        marked=(*state.marked, Marked(gone.position, "withdrawn")),
    )


def _released(state: Conversation, event: AgentReplied) -> Conversation:
    """Three ways here: after its undo time, at once, or once more after it failed."""
    reply, version = event.reply, event.after.version
    queued = next((q for q in state.queued if q.reply.id == reply.id), None)
    failed = next((d for d in state.deliveries if d.reply_id == reply.id), None)
    since = failed.answered_since if failed and not failed.lost else state.facts.oldest_unanswered_at
    earlier = queued or failed
    spoken_for = state.spoken_for if reply.signal else tuple(one.ticket_id for one in reply.speaks_for)
    delivery = Delivery(
        id=event.delivery_id or reply.id,
        reply_id=reply.id,
        position=earlier.position if earlier else version,
        answers=answers(reply),
        answered_since=since if answers(reply) else None,
        overtaken_at=earlier.overtaken_at if earlier else None,
        spoke_for=spoken_for,
        speaks_for=reply.speaks_for,
        author=reply.author,
        automatic=reply.automatic,
    )
    after = state if earlier else _written(state, reply, version)
    return replace(
        after,
        facts=event.after,
        queued=tuple(q for q in state.queued if q is not queued),
        deliveries=(*(d for d in state.deliveries if d is not failed), delivery)[-DELIVERIES_LIMIT:],
        marked=(*state.marked, Marked(delivery.position, DeliveryState.QUEUED)) if failed else state.marked,
        spoken_for=spoken_for,
    )


def _reported(state: Conversation, event: DeliveryChanged) -> Conversation:
    known = next(d for d in state.deliveries if d.reply_id == event.reply_id)
    lost = is_final_failure(event.state, event.permanent)
    heir = heir_of(known, state.deliveries) if lost else None
    told = replace(known, state=event.state, lost=lost, answered_since=None if lost else known.answered_since)
    marked = Marked(known.position, event.state, event.reason, event.permanent, event.external_id)
    deliveries = tuple(
        told if d is known
        else replace(d, answered_since=oldest(d.answered_since, known.answered_since)) if d is heir
        else d
        for d in state.deliveries
    )  # fmt: skip
    return replace(
        state,
        facts=event.after,
        deliveries=deliveries,
        references=referenced(state.references, event.external_id),
        marked=(*state.marked, marked),
    )


def _noted(state: Conversation, event: NoteAdded) -> Conversation:
    note, version = event.note, event.after.version
    return replace(
        state,
        facts=event.after,
        remarks=remembered(state.remarks, Remark(version, MessageKind.NOTE, note.author, excerpt(note.text))),
        filed=(*state.filed, Filed(version, note.id, MessageKind.NOTE, event.at, note)),
    )


def _keeping_waits(state: Conversation, after: Conversation, event: Event) -> Conversation:
    """What it stopped waiting for without seeing it through may still complete."""
    over = event.wait if isinstance(event, WaitEnded) and event.how in ("completed", "cancelled") else None
    known = dict.fromkeys((*state.once_awaited, *state.facts.waits))
    once = tuple(wait for wait in known if wait not in after.facts.waits and wait != over)
    return replace(after, once_awaited=once[-ONCE_AWAITED_LIMIT:])

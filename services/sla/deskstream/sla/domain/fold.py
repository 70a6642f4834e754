"""Clocks as a pure function of what a conversation said, under given rules.

Only a public reply by a human ends a clock well. A reply that turns out undelivered is taken out again, and the clock
goes on to its next ending, as if nothing had been sent.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import reduce

from deskstream.contracts.conversation import (
    AgentReplied,
    ConversationArchived,
    ConversationEvent,
    ConversationOpened,
    ConversationResolved,
    CustomerReplied,
    DeliveryChanged,
    PutOnHold,
    SuspicionReviewed,
)
from deskstream.contracts.facts import ConversationFacts, Stage
from deskstream.contracts.ids import ConversationId
from deskstream.contracts.inbound import DeliveryState
from deskstream.contracts.sla import Cause, Metric
from deskstream.sla.domain.clocks import Clock, Clocks
from deskstream.sla.domain.policy import Rules

KEPT_CLOCKS = 16
"""So many clocks back a delivery failure can still reach; older ones are settled."""
KEPT_ENDINGS = 16

_QUIET = frozenset({Stage.SUSPENDED, Stage.RESOLVED, Stage.ARCHIVED})


def clocks_of(conversation_id: ConversationId, events: Iterable[ConversationEvent], rules: Rules) -> Clocks:
    """All clocks of one conversation, from its events alone."""
    return reduce(lambda clocks, event: advance(rules, clocks, event), events, Clocks.none_yet(conversation_id))


def advance(rules: Rules, clocks: Clocks, event: ConversationEvent) -> Clocks:
    """The clocks after one more event; the same object when it changes none of them."""
    match event:
        case CustomerReplied() | ConversationOpened():
            return _ask(rules, clocks, event)
        case SuspicionReviewed() if _live(event.after):
            return _ask(rules, _revive(clocks, event), event)
        case AgentReplied() if not (event.reply.automatic or event.reply.signal):
            return _ask(rules, _leave_new(_answer(clocks, event), event), event)
        case ConversationResolved() | ConversationArchived() | SuspicionReviewed():
            return _leave_new(_end(clocks, clocks.last, event), event)
        case DeliveryChanged() if event.permanent and event.state is DeliveryState.FAILED:
            return _ask(rules, _take_back(clocks, event), event)
        case PutOnHold():
            return _leave_new(clocks, event)
        case _:
            return clocks


def _live(after: ConversationFacts) -> bool:
    """Whether somebody may be waiting for an answer."""
    return after.stage not in _QUIET


def _ask(rules: Rules, clocks: Clocks, event: ConversationEvent) -> Clocks:
    if clocks.running or not _live(event.after):
        return clocks
    asked = _asked(clocks.last, event.after)
    if asked is None:
        return clocks
    ordinal = clocks.recent[-1].facts.ordinal + 1 if clocks.recent else 1
    clock = Clock(
        number=event.after.number,
        created_at=event.after.created_at,
        facts=rules.clock(ordinal, *asked),
        causes=(_cause(event),),
    )
    return replace(clocks, recent=(*_settled(clocks.recent), clock))


def _asked(last: Clock | None, after: ConversationFacts) -> tuple[Metric, datetime] | None:
    """What somebody waits for, and since when.

    After an agent's first message there is no first response: whatever the customer answers waits for a next one.
    """
    if last is None and after.valid_at and not after.public_replies:
        return Metric.FIRST_RESPONSE, after.valid_at
    since = after.oldest_unanswered_at
    return (Metric.NEXT_RESPONSE, since) if since else None


def _settled(recent: tuple[Clock, ...]) -> tuple[Clock, ...]:
    old = len(recent) - KEPT_CLOCKS + 1
    return tuple(replace(clock, settled=True) if at < old else clock for at, clock in enumerate(recent))


def _answer(clocks: Clocks, event: AgentReplied) -> Clocks:
    """What was written before the message that a clock runs for, or is only sent once more, answers the one before."""
    running, since = clocks.running, event.after.oldest_unanswered_at
    if running is None or since is None or since > running.facts.started_at:
        return _end(clocks, clocks.last, event)
    earlier = [clock for clock in clocks.recent if not clock.replaced and clock is not running]
    return _end(clocks, earlier[-1] if earlier else None, event)


def _end(clocks: Clocks, clock: Clock | None, event: ConversationEvent) -> Clocks:
    if clock is None or len(clock.endings) == KEPT_ENDINGS:
        return clocks
    return _with(clocks, replace(clock, endings=(*clock.endings, _cause(event))))


def _revive(clocks: Clocks, event: ConversationEvent) -> Clocks:
    """Where somebody waits again, and nobody answered the last clock, it counts on."""
    last = clocks.last
    if last is None or not last.unanswered or event.after.oldest_unanswered_at is None:
        return clocks
    return _with(clocks, _re_ended(last, (), event))


def _take_back(clocks: Clocks, event: DeliveryChanged) -> Clocks:
    for clock in clocks.recent:
        lost = next((ending for ending in clock.endings if ending.reply_id == event.reply_id), None)
        if lost and not clock.replaced:
            standing = tuple(ending for ending in clock.endings if ending is not lost)
            clocks = _re_end(clocks, clock, standing, event)
            break
    return _revive(clocks, event) if _live(event.after) else clocks


def _re_end(clocks: Clocks, clock: Clock, standing: tuple[Cause, ...], event: ConversationEvent) -> Clocks:
    """Without any ending left, a clock goes on through the one that followed it."""
    follower = next((c for c in clocks.recent if c.facts.ordinal > clock.facts.ordinal and not c.replaced), None)
    if standing or follower is None:
        return _with(clocks, _re_ended(clock, standing, event))
    longer = _re_ended(clock, follower.endings, event)
    return _with(clocks, longer, replace(follower, replaced=True))


def _re_ended(clock: Clock, endings: tuple[Cause, ...], event: ConversationEvent) -> Clock:
    if endings[:1] == clock.endings[:1]:
        return replace(clock, endings=endings)
    return replace(clock, endings=endings, causes=(*clock.causes, clock.endings[0], _cause(event)))


def _leave_new(clocks: Clocks, event: ConversationEvent) -> Clocks:
    to, first = event.after.stage, clocks.recent[0] if clocks.recent else None
    if event.stage_before is not Stage.NEW or to in (Stage.NEW, Stage.SUSPENDED):
        return clocks
    if first is None or first.facts.metric is not Metric.FIRST_RESPONSE or first.left_new:
        return clocks
    return _with(clocks, replace(first, left_new=(to, event.at)))


def _with(clocks: Clocks, *changed: Clock) -> Clocks:
    new = {clock.facts.ordinal: clock for clock in changed}
    return replace(clocks, recent=tuple(new.get(clock.facts.ordinal, clock) for clock in clocks.recent))


def _cause(event: ConversationEvent) -> Cause:
    reply_id = event.reply.id if isinstance(event, AgentReplied) else None
    return Cause(event=event.NAME, sequence=event.after.version, at=event.at, reply_id=reply_id)

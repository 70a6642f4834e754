"""When a conversation wants to be woken, and what it does then: releases what waits, ends its snooze."""

from datetime import datetime

from deskstream.contracts import Event
from deskstream.conversation.domain.evolving import in_turn
from deskstream.conversation.domain.releasing import release_all
from deskstream.conversation.domain.snoozing import end_snooze_by_time
from deskstream.conversation.domain.state import Conversation, State, Unopened


def due(state: State) -> datetime | None:
    """The earliest release or end of a snooze."""
    if isinstance(state, Unopened):
        return None
    moments = [queued.reply.release_at for queued in state.queued]
    if state.facts.snooze is not None and state.facts.snooze.until is not None:
        moments.append(state.facts.snooze.until)
    return min(moments, default=None)


def wake(state: Conversation, now: datetime) -> list[Event]:
    """Everything that is due; nothing that is not."""
    return in_turn(
        state,
        lambda then: release_all(then, [q for q in then.queued if q.reply.release_at <= now], now),
        lambda then: end_snooze_by_time(then, now),
    )

"""Waiting for somebody inside: what a hold waits for, and how each of these waits ends."""

from datetime import datetime

from deskstream.contracts import Event, Refused
from deskstream.contracts.conversation import EndWait, Hold, PutOnHold, WaitEnded
from deskstream.contracts.facts import Wait
from deskstream.conversation.domain import stages
from deskstream.conversation.domain.changing import changed, moved
from deskstream.conversation.domain.stages import Happening
from deskstream.conversation.domain.state import Conversation
from deskstream.conversation.domain.wording import line


def hold(state: Conversation, asked: Hold, now: datetime) -> list[Event]:
    """Every wait has a name of its own, by which it is ended."""
    facts = state.facts
    stage = stages.after(Happening.ESCALATED, facts.stage)
    names = [wait.name for wait in asked.waits]
    if len(set(names)) < len(names):
        raise Refused("wait_named_twice", "Two of the things to wait for have the same name. Tell them apart.")
    after = changed(facts, **moved(facts, stage), waits=asked.waits)
    return [
        PutOnHold(conversation_id=facts.id, at=now, stage_before=facts.stage, after=after, reason=line(asked.reason))
    ]


def end_wait(state: Conversation, asked: EndWait, now: datetime) -> list[Event]:
    """The last one ends the hold; the end of what it once waited for may ask for an agent too."""
    facts = state.facts
    wait = next((wait for wait in facts.waits if wait.name == asked.name), None)
    if wait is not None:
        return [_ended(state, asked, wait, now)]
    once = next((wait for wait in state.once_awaited if wait.name == asked.name), None)
    if once is None or asked.how in ("ticked_off", "dropped"):
        names = [wait.name for wait in facts.waits]
        known = f"It waits for {', '.join(names)}." if names else "It waits for nothing."
        raise Refused("not_waiting_for", f"It does not wait for {asked.name}. {known}", waits=names)
    return [_ended_later(state, asked, once, now)]


def _ended(state: Conversation, asked: EndWait, wait: Wait, now: datetime) -> Event:
    facts = state.facts
    waits = tuple(other for other in facts.waits if other != wait)
    stage = facts.stage if waits else stages.after(Happening.LAST_WAIT_ENDS, facts.stage)
    after = changed(facts, **{**moved(facts, stage), "waits": waits})
    return WaitEnded(
        conversation_id=facts.id,
        at=now,
        stage_before=facts.stage,
        after=after,
        wait=wait,
        how=asked.how,
        reason=line(asked.reason),
    )


def _ended_later(state: Conversation, asked: EndWait, wait: Wait, now: datetime) -> Event:
    facts = state.facts
    stage = stages.after(Happening.ONCE_AWAITED_COMPLETES, facts.stage)
    if asked.how == "cancelled":
        stage = facts.stage
    return WaitEnded(
        conversation_id=facts.id,
        at=now,
        stage_before=facts.stage,
        after=changed(facts, **moved(facts, stage)),
        wait=wait,
        how=asked.how,
        reason=line(asked.reason),
    )

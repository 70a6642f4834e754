"""Snooze hides a conversation until a moment, a reply, or whichever is first (C13). It changes no stage, no clock."""

from datetime import datetime
from typing import Literal

from deskstream.contracts import Event, Refused
from deskstream.contracts.conversation import ConversationSnoozed, Snooze, SnoozeEnded
from deskstream.contracts.facts import SnoozeFacts
from deskstream.conversation.domain import stages
from deskstream.conversation.domain.changing import changed
from deskstream.conversation.domain.state import Conversation
from deskstream.conversation.domain.wording import line


def snooze(state: Conversation, asked: Snooze, now: datetime) -> list[Event]:
    """Another snooze takes the place of the one before."""
    facts = state.facts
    if facts.stage not in stages.OPEN:
        raise stages.refusal("snoozed", facts.stage)
    if asked.until is None and not asked.until_reply:
        raise Refused("snooze_without_end", "Say until when: a time, the customer's reply, or both.")
    if asked.until is not None and asked.until <= now:
        raise Refused("snooze_in_the_past", "That moment has passed. Name a later one.", now=now.isoformat())
    wanted = SnoozeFacts(until=asked.until, until_reply=asked.until_reply, reason=line(asked.reason))
    return [
        ConversationSnoozed(
            conversation_id=facts.id,
            at=now,
            stage_before=facts.stage,
            after=changed(facts, snooze=wanted),
            snooze=wanted,
        )
    ]


def end_snooze(state: Conversation, why: Literal["time", "reply", "agent"], now: datetime) -> list[Event]:
    """Nothing where nothing is snoozed."""
    facts = state.facts
    if facts.snooze is None:
        return []
    after = changed(facts, snooze=None)
    return [SnoozeEnded(conversation_id=facts.id, at=now, stage_before=facts.stage, after=after, why=why)]


def end_snooze_by_reply(state: Conversation, now: datetime) -> list[Event]:
    """Only if a reply was to end it."""
    snoozed = state.facts.snooze
    return end_snooze(state, "reply", now) if snoozed is not None and snoozed.until_reply else []


def end_snooze_by_time(state: Conversation, now: datetime) -> list[Event]:
    """Only if its moment has come."""
    snoozed = state.facts.snooze
    come = snoozed is not None and snoozed.until is not None and snoozed.until <= now
    return end_snooze(state, "time", now) if come else []

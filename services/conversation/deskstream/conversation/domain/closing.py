"""Resolved, archived, reviewed: the ends of a conversation, and the doors at its beginning."""

from datetime import datetime
from typing import Any

from deskstream.contracts import Event
from deskstream.contracts.conversation import (
    ConversationArchived,
    ConversationResolved,
    Resolve,
    Review,
    SuspicionReviewed,
)
from deskstream.contracts.facts import ConversationFacts, Resolution
from deskstream.conversation.domain import stages
from deskstream.conversation.domain.changing import RESOLUTION_TAG, changed, moved
from deskstream.conversation.domain.evolving import in_turn
from deskstream.conversation.domain.releasing import release_all
from deskstream.conversation.domain.replying import withdraw_all
from deskstream.conversation.domain.snoozing import end_snooze
from deskstream.conversation.domain.stages import Happening
from deskstream.conversation.domain.state import Conversation
from deskstream.conversation.domain.wording import line


def resolve(state: Conversation, asked: Resolve, now: datetime) -> list[Event]:
    """Whoever closes says that the answer stands: what still waits to be released leaves first, and counts."""
    return in_turn(
        state,
        lambda then: release_all(then, then.queued, now),
        lambda then: end_snooze(then, "agent", now),
        lambda then: [_resolved(then.facts, asked.category, now)],
    )


def archive(state: Conversation, now: datetime) -> list[Event]:
    """Nothing where that has happened."""
    stages.after(Happening.ARCHIVES, state.facts.stage)
    if state.facts.stage is stages.ARCHIVED:
        return []
    return in_turn(
        state,
        lambda then: release_all(then, then.queued, now),
        lambda then: end_snooze(then, "agent", now),
        lambda then: [_archived(then.facts, now)],
    )


def review(state: Conversation, asked: Review, now: datetime) -> list[Event]:
    """To spam nothing leaves any more that waited."""
    if asked.verdict == "valid":
        return [_found_valid(state.facts, asked, now)]
    return in_turn(
        state,
        lambda then: withdraw_all(then, now),
        lambda then: end_snooze(then, "agent", now),
        lambda then: [_found_spam(then.facts, asked, now)],
    )


def _resolved(facts: ConversationFacts, category: Resolution, now: datetime) -> Event:
    stage = stages.after(Happening.RESOLVES, facts.stage)
    after = changed(facts, **moved(facts, stage), **_resolution(facts, category), oldest_unanswered_at=None)
    return ConversationResolved(
        conversation_id=facts.id, at=now, stage_before=facts.stage, after=after, category=category
    )


def _archived(facts: ConversationFacts, now: datetime) -> Event:
    stage = stages.after(Happening.ARCHIVES, facts.stage)
    after = changed(facts, **moved(facts, stage), oldest_unanswered_at=None)
    return ConversationArchived(conversation_id=facts.id, at=now, stage_before=facts.stage, after=after)


def _found_valid(facts: ConversationFacts, asked: Review, now: datetime) -> Event:
    """The first response counts from the moment it first was valid (S2); the earlier waiting is no fault of ours."""
    stage = stages.after(Happening.REVIEWED_VALID, facts.stage)
    valid_at = facts.valid_at or now
    return _reviewed(facts, asked, now, stage=stage, valid_at=valid_at, oldest_unanswered_at=valid_at)


def _found_spam(facts: ConversationFacts, asked: Review, now: datetime) -> Event:
    stage = stages.after(Happening.REVIEWED_SPAM, facts.stage)
    verdict = _resolution(facts, Resolution.SPAM) if stage is stages.ARCHIVED else {}
    return _reviewed(facts, asked, now, stage=stage, **verdict, oldest_unanswered_at=None)


def _reviewed(facts: ConversationFacts, asked: Review, now: datetime, **changes: Any) -> Event:
    return SuspicionReviewed(
        conversation_id=facts.id,
        at=now,
        stage_before=facts.stage,
        after=changed(facts, **changes),
        verdict=asked.verdict,
        reason=line(asked.reason),
    )


def _resolution(facts: ConversationFacts, category: Resolution) -> dict[str, Any]:
    return {"resolution": category, "tags": {**facts.tags, RESOLUTION_TAG: category.value}}

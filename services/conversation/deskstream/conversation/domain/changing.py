"""How facts change: every change is a new version, and a stage takes with it what belongs to it."""

from datetime import datetime
from typing import Any

from deskstream.contracts.facts import ConversationFacts, ReceivedMessage, Stage

RESOLUTION_TAG = "resolution"


def changed(facts: ConversationFacts, **changes: Any) -> ConversationFacts:
    """The facts after the next event of the conversation's own."""
    return facts.model_copy(update={"version": facts.version + 1, **changes})


def moved(facts: ConversationFacts, stage: Stage) -> dict[str, Any]:
    """What goes with a stage: only a hold waits, only what is closed has a resolution."""
    if stage is facts.stage:
        return {}
    changes: dict[str, Any] = {"stage": stage}
    if facts.waits:
        changes["waits"] = ()
    if facts.stage is Stage.RESOLVED and stage is not Stage.ARCHIVED:
        changes["resolution"] = None
        changes["tags"] = {tag: value for tag, value in facts.tags.items() if tag != RESOLUTION_TAG}
    return changes


def heard_at(message: ReceivedMessage, now: datetime) -> datetime:
    """When a message counts as here. Receipts come from another service's clock, and no clock starts in the future."""
    return min(message.received_at, now)


def oldest(first: datetime | None, second: datetime | None) -> datetime | None:
    """The earlier of two moments that may be missing."""
    if first is None or second is None:
        return first or second
    return min(first, second)


def still_unanswered(since: datetime | None, overtaken_at: datetime | None) -> datetime | None:
    """The oldest message left when a reply answers all that came before `overtaken_at` (None: simply all)."""
    return None if since is None or overtaken_at is None else max(since, overtaken_at)

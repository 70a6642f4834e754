"""What adapters report of a reply (C17): the furthest state counts; a permanent failure undoes what sending did."""

from datetime import datetime
from typing import Any

from deskstream.contracts import Event
from deskstream.contracts.conversation import DeliveryChanged
from deskstream.contracts.ingest import DeliveryNoted
from deskstream.conversation.domain import stages
from deskstream.conversation.domain.changing import changed, moved, oldest
from deskstream.conversation.domain.reports import heir_of, is_final_failure, is_news
from deskstream.conversation.domain.stages import Happening
from deskstream.conversation.domain.state import Conversation, Delivery


def note_delivery(state: Conversation, noted: DeliveryNoted, now: datetime) -> list[Event]:
    """Nothing for what is late, repeated, out of order, or about a reply that this conversation does not know."""
    known = next((d for d in state.deliveries if d.id == noted.reply_id), None)
    if known is None or not is_news(known, noted):
        return []
    lost = is_final_failure(noted.state, noted.permanent)
    changes = _as_if_never_sent(state, known) if lost and known.answers else {}
    return [
        DeliveryChanged(
            conversation_id=state.id,
            at=now,
            stage_before=state.facts.stage,
            after=changed(state.facts, **changes),
            reply_id=known.reply_id,
            state=noted.state,
            reason=noted.reason,
            permanent=noted.permanent,
            kept_back=noted.kept_back,
            external_id=noted.external_id,
        )
    ]


def _as_if_never_sent(state: Conversation, lost: Delivery) -> dict[str, Any]:
    """The stage asks for an agent in any case; the old clock counts on unless a later reply stopped it too."""
    facts = state.facts
    changes = moved(facts, stages.after(Happening.REPLY_FAILS, facts.stage))
    changes["public_replies"] = max(0, facts.public_replies - 1)
    if facts.stage is not stages.ARCHIVED and heir_of(lost, state.deliveries) is None:
        changes["oldest_unanswered_at"] = oldest(facts.oldest_unanswered_at, lost.answered_since)
    return changes

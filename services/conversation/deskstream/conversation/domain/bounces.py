"""C17: what tickets hear of replies that came back, or that arrived after all."""

from collections.abc import Iterator
from datetime import datetime

from deskstream.contracts import Event
from deskstream.contracts.conversation import DeliveryChanged
from deskstream.contracts.ids import ReplyId
from deskstream.contracts.ticket_talk import TicketNotSpokenFor, TicketSpokenFor
from deskstream.conversation.domain.reports import is_final_failure
from deskstream.conversation.domain.state import Conversation
from deskstream.conversation.domain.wanted import ref_of


def bounced(state: Conversation, event: DeliveryChanged, now: datetime) -> Iterator[Event]:
    """Its tickets thought that their customer knows; or thought, after an earlier report, that nobody does."""
    delivery = next(known for known in state.deliveries if known.reply_id == event.reply_id)
    lost = is_final_failure(event.state, event.permanent)
    if lost is delivery.lost:
        return
    for speaks in delivery.speaks_for:
        about = {"ticket_id": speaks.ticket_id, "conversation": ref_of(state.facts), "reply_id": delivery.reply_id}
        if lost:
            yield TicketNotSpokenFor(
                at=now, by=delivery.author, automatic=delivery.automatic, why="undeliverable", **about
            )
        elif delivery.author is not None:
            yield TicketSpokenFor(at=now, by=delivery.author, automatic=delivery.automatic, speaks=speaks, **about)


def is_lost(state: Conversation, reply_id: ReplyId) -> bool:
    """Whether its tickets were told that it cannot be delivered: sent once more, it speaks for them anew."""
    return any(delivery.reply_id == reply_id and delivery.lost for delivery in state.deliveries)

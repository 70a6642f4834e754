"""C17: what tickets hear of replies that came back, or that arrived after all."""

from collections.abc import Iterator
from datetime import datetime

from deskstream.contracts import Event
from deskstream.contracts.conversation import DeliveryChanged
from deskstream.contracts.facts import Reply
from deskstream.contracts.ticket_talk import TicketNotSpokenFor, TicketSpokenFor
from deskstream.conversation.domain.reports import is_final_failure
from deskstream.conversation.domain.state import Conversation
from deskstream.conversation.domain.wanted import ref_of


def bounced(state: Conversation, event: DeliveryChanged, now: datetime) -> Iterator[Event]:
    """Its tickets thought that their customer knows; or thought, after an earlier report, that nobody does."""
    delivery = next(known for known in state.deliveries if known.reply_id == event.reply_id)
    lost = is_final_failure(event.state, event.permanent)
    if lost is delivery.lost or event.kept_back or (delivery.automatic and not lost):
        return
    for speaks in delivery.speaks_for:
        about = {"ticket_id": speaks.ticket_id, "conversation": ref_of(state.facts), "reply_id": delivery.reply_id}
        if lost:
            yield TicketNotSpokenFor(
                at=now, by=delivery.author, automatic=delivery.automatic, why="undeliverable", **about
            )
        elif delivery.author is not None:
            # Whoever wrote meanwhile was not silent.
            said = speaks.model_copy(update={"asks": None}) if delivery.overtaken_at else speaks
            yield TicketSpokenFor(at=now, by=delivery.author, automatic=delivery.automatic, speaks=said, **about)


def speaking_anew(state: Conversation, reply: Reply) -> Reply | None:
    """What a reply says for its tickets that is sent once more: nothing, unless they were told that it was lost."""
    lost = next((one for one in state.deliveries if one.reply_id == reply.id and one.lost), None)
    if lost is None or reply.automatic:
        return None
    if lost.overtaken_at is None:
        return reply
    speaks = tuple(one.model_copy(update={"asks": None}) for one in reply.speaks_for)
    return reply.model_copy(update={"speaks_for": speaks})

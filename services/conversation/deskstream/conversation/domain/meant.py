"""W3, W4: which tickets a customer's message may be about, and how sure that is."""

from collections.abc import Collection, Sequence

from deskstream.contracts.ids import ReplyId, TicketId
from deskstream.contracts.linked import UNCLOSED, Concerns, LinkedTicket, TicketMeant, TicketStage
from deskstream.conversation.domain.messages import Incoming
from deskstream.conversation.domain.people import Writer
from deskstream.conversation.domain.state import Conversation


def meant(state: Conversation, incoming: Incoming, by: Writer) -> Sequence[TicketMeant]:
    """Its tickets, and those of the archived conversation that passed the message on; a stranger means none.

    Where that one is sure, nothing written there is about another ticket.
    """
    own = _own(state, incoming.message.answers) if state.facts.tickets and by != "stranger" else []
    earlier = meant_before(incoming)
    if not earlier:
        return own
    known = {one.ticket_id for one in earlier}
    sure = any(one.concerns != "perhaps" for one in earlier)
    others = [one for one in own if one.ticket_id not in known]
    return [*earlier, *(one.model_copy(update={"concerns": "perhaps"}) if sure else one for one in others)]


def meant_before(incoming: Incoming) -> Sequence[TicketMeant]:
    """What the archived conversation knew that passed it on."""
    return incoming.passed_on.tickets if incoming.passed_on is not None else ()


def _own(state: Conversation, answers: ReplyId | None) -> list[TicketMeant]:
    tickets, spoken_for = state.facts.tickets, _spoken_for(state, answers)
    left = _may_be_meant(tickets, spoken_for)
    return [
        TicketMeant(ticket_id=ticket.id, concerns=_concern(ticket, spoken_for, left), stage=ticket.stage)
        for ticket in tickets
    ]


def _spoken_for(state: Conversation, answers: ReplyId | None) -> Sequence[TicketId]:
    """By the reply that the message answers; by the latest where the channel cannot tell. Of one sent long ago nothing
    is known any more."""
    if answers is None:
        return state.spoken_for
    answered = next((one for one in reversed(state.deliveries) if answers in (one.id, one.reply_id)), None)
    if answered is None:
        return ()
    # What was sent before this was remembered of each reply, was remembered of the latest.
    return state.spoken_for if answered is state.deliveries[-1] else answered.spoke_for


def _may_be_meant(tickets: Sequence[LinkedTicket], spoken_for: Collection[TicketId]) -> list[LinkedTicket]:
    """The unclosed ones; where there are none, the one closed last, so that an answer always finds a ticket (W4).

    No customer knows of an internal one. Tickets stand in the order in which they were last heard of, and of what is
    closed nothing more is heard.
    """
    shown = [ticket for ticket in tickets if not ticket.internal]
    unclosed = [ticket for ticket in shown if ticket.stage in UNCLOSED]
    if unclosed or any(ticket.id in spoken_for for ticket in tickets):
        return unclosed
    return [ticket for ticket in shown if ticket.stage is TicketStage.CLOSED][-1:]


def _concern(ticket: LinkedTicket, spoken_for: Collection[TicketId], left: Sequence[LinkedTicket]) -> Concerns:
    """An answer is about what the reply spoke for, or about the only ticket that may be meant."""
    if ticket.id in spoken_for:
        return "this_ticket"
    return "only_one" if [ticket] == list(left) else "perhaps"

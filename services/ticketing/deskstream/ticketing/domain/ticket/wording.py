"""What is prepared for customers: in their language, about their ticket, with no word of any issue."""

from typing import Final

from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.linked import Asks, IssueRef, TicketStage
from deskstream.contracts.way_back import Ending
from deskstream.ticketing.domain.wording import PLACEHOLDER

_PREPARED: Final = {
    "completed": "Good news about {ticket}: the work on it is done.{link} Is it solved for you?",
    "wont_fix": "We have looked into {ticket} thoroughly, and have decided to leave it as it is. We are sorry.",
    "cancelled": "We are not pursuing {ticket} any further. Do write to us if you still need help with it.",
    "deleted": "Look before you answer: {ticket}, or what it waited for, was deleted, and nobody completed it.",
}
"""What an agent may send; of what was deleted, a warning to read first."""

_REMINDERS: Final = {
    "confirmation": "We are writing about {ticket} again. Is it solved for you? A short yes or no is enough.",
    "information": "We are writing about {ticket} again. To go on, we still need what we asked you for.",
}


FOR_CUSTOMERS: Final = {
    TicketStage.NEW: "received",
    TicketStage.OPEN: "in progress",
    TicketStage.PENDING: "waiting for you",
    TicketStage.ON_HOLD: "in progress",
    TicketStage.SOLVED: "solved",
    TicketStage.CLOSED: "closed",
    TicketStage.CANCELED: "closed",
}
"""A stage in the customer's words (N9)."""


def name_of(facts: TicketFacts) -> str:
    """`TKT-7 “Crash on start”`."""
    return f"TKT-{facts.number} “{facts.title}”"


def prepared(facts: TicketFacts, ending: Ending, issues: tuple[IssueRef, ...] = ()) -> str:
    """What may be answered when the waiting for a ticket is over."""
    links = [issue.public_link for issue in issues if issue.public_link and not issue.confidential]
    link = f" You find it here: {links[0]}." if links else ""
    return _PREPARED[ending].format(ticket=name_of(facts), link=link)


def reminder(facts: TicketFacts, asks: Asks) -> str:
    """A follow-up to a silent customer."""
    return _REMINDERS[asks].format(ticket=name_of(facts))


def filled_in(text: str, facts: TicketFacts) -> str:
    """An approved answer, for this ticket."""
    return text.replace(PLACEHOLDER, name_of(facts))

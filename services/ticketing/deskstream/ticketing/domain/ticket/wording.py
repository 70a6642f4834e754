"""What is prepared for customers: in their language, about their ticket, with no word of any issue."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.linked import Asks, TicketStage
from deskstream.contracts.way_back import Ending
from deskstream.ticketing.domain.ticket.discretion import links_for_customers
from deskstream.ticketing.domain.wording import PLACEHOLDER

_PREPARED: Final = {
    "completed": "Good news about {ticket}: the work on it is done.{link} Is it solved for you?",
    "dropped": "We are going on with {ticket}, and write to you again as soon as there is news.",
    "wont_fix": "We have looked into {ticket} thoroughly, and have decided to leave it as it is. We are sorry.",
    "cancelled": "We are not pursuing {ticket} any further. Do write to us if you still need help with it.",
    "deleted": "Look before you answer: {ticket}, or what it waited for, was deleted, and nobody completed it.",
}
"""What an agent may send; of what was deleted, a warning to read first."""

_REMINDERS: Final = {
    "confirmation": "We are writing about {ticket} again. Is it solved for you? A short yes or no is enough.",
    "information": "We are writing about {ticket} again. To go on, we still need what we asked you for.",
}

_FOR_THE_ENGINEER: Final = {
    "silent_after_answer": "{ticket} is solved: an answer was given, and the customer is silent after "
    "{times} reminders.",
    "silent_no_answer": "{ticket} has no answer yet, and the customer is silent after {times} reminders. "
    "Can you help? Unless somebody does, it is solved in {hours:g} open hours.",
    "tagged": "{ticket} is for you to look at: you were tagged as its customer engineer.",
}
"""Notes, of which no customer reads a word."""

_NOT_SENT: Final = {
    "archived": "its conversation is archived",
    "suspended": "its conversation is suspended until somebody reviews it",
    "no_adapter": "nothing sends on its channel",
    "confidential": "it names a confidential issue, as a note says",
    "queue_full": "too many replies wait in its conversation",
    "too_large": "it is too large",
    "withdrawn": "it was taken back",
    "unknown_conversation": "there is no such conversation",
    "no_conversation": "it has no conversation",
    "internal": "it is internal, and no customer knows of it",
    "still_waits": "it still waits for something else",
    "undeliverable": "it cannot be delivered, as its conversation says",
    "no_word": "its conversation says nothing about it",
}

_NOT_LINKED: Final = {
    "ticket_is_closed": "the ticket is closed: open another one",
    "ticket_is_canceled": "the ticket is canceled: open another one",
    "ticket_is_deleted": "the ticket is deleted: restore it and link the issue, or open another one",
    "too_many_issues": "too many issues are linked: unlink one, or open another ticket",
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
    """`TKT-7 “Crash on start”`; an internal one's title is no customer's to read."""
    return f"TKT-{facts.number}" if facts.internal else f"TKT-{facts.number} “{facts.title}”"


def prepared(facts: TicketFacts, ending: Ending) -> str:
    """What may be answered when the waiting for a ticket is over."""
    links = links_for_customers(facts)
    link = f" You find it here: {links[0]}." if links else ""
    unnamed = facts.internal and ending != "deleted"
    return _PREPARED[ending].format(ticket="your request" if unnamed else name_of(facts), link=link)


def reminder(facts: TicketFacts, asks: Asks) -> str:
    """A follow-up to a silent customer."""
    return _REMINDERS[asks].format(ticket=name_of(facts))


def filled_in(text: str, facts: TicketFacts) -> str:
    """An approved answer, for this ticket."""
    return text.replace(PLACEHOLDER, name_of(facts))


def engineer_note(facts: TicketFacts, why: str, grace: timedelta) -> str:
    """What the customer engineer is told."""
    hours = grace / timedelta(hours=1)
    return _FOR_THE_ENGINEER[why].format(ticket=name_of(facts), times=facts.follow_ups, hours=hours)


def missed_note(facts: TicketFacts, why: str, again_in: timedelta) -> str:
    """What its owner is told of a reminder that did not leave."""
    hours = again_in / timedelta(hours=1)
    again = "It counts once it leaves; look after it" if why == "no_word" else "It does not count, and is tried again"
    return (
        f"The reminder to the silent customer of {name_of(facts)} was not sent: {_NOT_SENT[why]}. "
        f"{again} in {hours:g} open hours, unless you reach them by another way."
    )


def lost_note(facts: TicketFacts) -> str:
    """What its owner is told of words that came back."""
    return (
        f"What was said to the customer of {name_of(facts)} cannot be delivered, so it counts as never said. "
        "Send it once more, or reach them by another way and record it at the ticket."
    )


def not_linked_note(facts: TicketFacts, issue: int, why: str) -> str:
    """What its owner is told of an issue that was filed for it in vain."""
    return f"ISS-{issue} was filed for {name_of(facts)} and is not linked to it: {_NOT_LINKED[why]}."


def closed_note(facts: TicketFacts) -> str:
    """What its owner is told of a message that may be about it, and that came while it was closed."""
    return (
        f"{name_of(facts)} was closed while the customer wrote, who may have meant it. "
        "If so, open another ticket: what is closed is final."
    )


def undecided_note(facts: TicketFacts) -> str:
    """What its owner is told of a message that waited to be decided until the ticket was closed."""
    return (
        f"{name_of(facts)} is closed now, and nobody said whether the customer's last message was about it. "
        "If so, open another ticket: what is closed is final."
    )


def owner_note(facts: TicketFacts, tasks: Sequence[int]) -> str:
    """What keeps a ticket from being solved: tasks by number, for their titles are for the ticket's readers only."""
    numbers = ", ".join(map(str, tasks))
    return (
        f"{name_of(facts)} would be solved by now, for the customer is silent, but tasks born from it are open: "
        f"{numbers}. It is solved once they are done or dropped."
    )

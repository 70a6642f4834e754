"""W3: which stage follows which, and why all else is refused."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from deskstream.contracts import Refused
from deskstream.contracts.linked import UNSOLVED, TicketStage

NEW, OPEN, PENDING = TicketStage.NEW, TicketStage.OPEN, TicketStage.PENDING
ON_HOLD, SOLVED, CLOSED, CANCELED = (
    TicketStage.ON_HOLD, TicketStage.SOLVED, TicketStage.CLOSED, TicketStage.CANCELED,
)  # fmt: skip


class Happening(StrEnum):
    """What moves a ticket; the value completes "it cannot be …"."""

    ASKED = "answered with a question"
    WORKED_ON = "worked on"
    WAITS = "put on hold"
    LAST_WAIT_ENDS = "taken off hold"
    QUESTION_LOST = "waiting for us again"
    CUSTOMER_ANSWERS = "answered by the customer"
    CUSTOMER_ANSWERS_THIS = "answered by the customer for sure"
    SOLVED = "solved"
    CANCELED = "canceled"
    TIME_PASSES = "closed"


NEXT: Final[Mapping[Happening, Mapping[TicketStage, TicketStage]]] = {
    # Asked once more, it goes on waiting.
    Happening.ASKED: {NEW: PENDING, OPEN: PENDING, PENDING: PENDING},
    Happening.WORKED_ON: {NEW: OPEN, OPEN: OPEN, PENDING: PENDING, ON_HOLD: ON_HOLD},
    # One thing more to wait for changes nothing.
    Happening.WAITS: {NEW: ON_HOLD, OPEN: ON_HOLD, PENDING: ON_HOLD, ON_HOLD: ON_HOLD},
    Happening.LAST_WAIT_ENDS: {ON_HOLD: OPEN},
    # The customer never got what was asked.
    Happening.QUESTION_LOST: {PENDING: OPEN},
    Happening.CUSTOMER_ANSWERS: {PENDING: OPEN},
    Happening.CUSTOMER_ANSWERS_THIS: {PENDING: OPEN, ON_HOLD: OPEN, SOLVED: OPEN},
    Happening.SOLVED: dict.fromkeys(UNSOLVED, SOLVED),
    Happening.CANCELED: dict.fromkeys(UNSOLVED, CANCELED),
    Happening.TIME_PASSES: {SOLVED: CLOSED},
}

_CODE: Final[Mapping[TicketStage, str]] = {
    NEW: "ticket_is_new",
    OPEN: "ticket_is_open",
    PENDING: "ticket_is_pending",
    ON_HOLD: "ticket_is_on_hold",
    SOLVED: "ticket_is_solved",
    CLOSED: "ticket_is_closed",
    CANCELED: "ticket_is_canceled",
}

_WAY_OUT: Final[Mapping[TicketStage, str]] = {
    NEW: "nobody has worked on it yet",
    OPEN: "it waits for us already",
    PENDING: "it waits for the customer",
    ON_HOLD: "tick off or drop what it waits for first",
    SOLVED: "the customer's answer opens it again",
    CLOSED: "that is final; the customer's answer opens a follow-up ticket",
    CANCELED: "that is final; open another ticket instead",
}


def after(happening: Happening, stage: TicketStage) -> TicketStage:
    """The stage that follows. Raises `Refused` when the table has none."""
    found = NEXT[happening].get(stage)
    if found is None:
        raise refusal(happening, stage)
    return found


def refusal(happening: Happening, stage: TicketStage) -> Refused:
    """Why it cannot happen in this stage, and what to do instead."""
    name = stage.value.replace("_", " ")
    return Refused(_CODE[stage], f"The ticket is {name} and cannot be {happening}: {_WAY_OUT[stage]}.",
                   stage=stage.value)  # fmt: skip


def moved_on(happening: Happening, stage: TicketStage) -> TicketStage:
    """The stage that follows what nobody can refuse: the same one where the table has none."""
    return NEXT[happening].get(stage, stage)

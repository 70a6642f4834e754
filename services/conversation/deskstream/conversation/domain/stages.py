"""The stage table (C8), and the one way to ask it. What does not stand here is refused."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from deskstream.contracts import Refused
from deskstream.contracts.facts import Stage

NEW = Stage.NEW
SUSPENDED = Stage.SUSPENDED
WAITING_ON_USER = Stage.WAITING_ON_USER
NEEDS_RESPONSE = Stage.NEEDS_RESPONSE
HOLD = Stage.HOLD
RESOLVED = Stage.RESOLVED
ARCHIVED = Stage.ARCHIVED

OPEN: Final = frozenset({NEW, WAITING_ON_USER, NEEDS_RESPONSE, HOLD})
"""Stages in which somebody may act next, a reviewer apart."""


class Happening(StrEnum):
    """What moves a conversation; the value completes "it cannot be …"."""

    REVIEWED_VALID = "reviewed as valid"
    REVIEWED_SPAM = "reviewed as spam"
    AGENT_REPLIES = "answered"
    ANSWER_DROPS_LAST_WAIT = "answered with nothing left to wait for"
    CUSTOMER_REPLIES = "written to by the customer"
    ESCALATED = "put on hold"
    LAST_WAIT_ENDS = "taken off hold"
    ONCE_AWAITED_COMPLETES = "told of what it once waited for"
    REPLY_FAILS = "told that its reply failed"
    RESOLVES = "resolved"
    ARCHIVES = "archived"


NEXT: Final[Mapping[Happening, Mapping[Stage, Stage]]] = {
    Happening.REVIEWED_VALID: {SUSPENDED: NEW},
    Happening.REVIEWED_SPAM: {SUSPENDED: ARCHIVED, NEW: SUSPENDED},
    Happening.AGENT_REPLIES: {
        NEW: WAITING_ON_USER,
        NEEDS_RESPONSE: WAITING_ON_USER,
        WAITING_ON_USER: WAITING_ON_USER,
        RESOLVED: RESOLVED,
        HOLD: HOLD,
    },
    Happening.ANSWER_DROPS_LAST_WAIT: {HOLD: WAITING_ON_USER},
    Happening.CUSTOMER_REPLIES: {
        NEW: NEW,  # C9
        NEEDS_RESPONSE: NEEDS_RESPONSE,  # C9
        WAITING_ON_USER: NEEDS_RESPONSE,
        HOLD: NEEDS_RESPONSE,
        SUSPENDED: SUSPENDED,
        RESOLVED: NEEDS_RESPONSE,
    },
    Happening.ESCALATED: {NEW: HOLD, NEEDS_RESPONSE: HOLD, WAITING_ON_USER: HOLD},
    Happening.LAST_WAIT_ENDS: {HOLD: NEEDS_RESPONSE},
    # Elsewhere it is noted and changes nothing.
    Happening.ONCE_AWAITED_COMPLETES: {
        WAITING_ON_USER: NEEDS_RESPONSE,
        RESOLVED: RESOLVED,
        NEEDS_RESPONSE: NEEDS_RESPONSE,
        HOLD: HOLD,
    },
    # C17; archived is final also then.
    Happening.REPLY_FAILS: {
        WAITING_ON_USER: NEEDS_RESPONSE,
        NEEDS_RESPONSE: NEEDS_RESPONSE,
        HOLD: NEEDS_RESPONSE,
        RESOLVED: NEEDS_RESPONSE,
        ARCHIVED: ARCHIVED,
    },
    Happening.RESOLVES: {NEEDS_RESPONSE: RESOLVED, WAITING_ON_USER: RESOLVED, NEW: RESOLVED},
    Happening.ARCHIVES: {
        NEW: ARCHIVED,
        WAITING_ON_USER: ARCHIVED,
        NEEDS_RESPONSE: ARCHIVED,
        HOLD: ARCHIVED,
        RESOLVED: ARCHIVED,
        ARCHIVED: ARCHIVED,
    },
}

_CODE: Final[Mapping[Stage, str]] = {
    NEW: "conversation_is_new",
    SUSPENDED: "conversation_is_suspended",
    WAITING_ON_USER: "conversation_waits_on_user",
    NEEDS_RESPONSE: "conversation_needs_response",
    HOLD: "conversation_is_on_hold",
    RESOLVED: "conversation_is_resolved",
    ARCHIVED: "conversation_is_archived",
}

_WAY_OUT: Final[Mapping[Stage, str]] = {
    NEW: "it counts as valid already",
    SUSPENDED: "review it as valid first",
    WAITING_ON_USER: "it counts as valid already; resolve it with the category spam if it is not",
    NEEDS_RESPONSE: "it counts as valid already; resolve it with the category spam if it is not",
    HOLD: "tick off or drop what it waits for first",
    RESOLVED: "it can only be archived, or written in; the customer's reply opens it again",
    ARCHIVED: "that is final; start a new conversation instead",
}


def after(happening: Happening, stage: Stage) -> Stage:
    """The stage that follows. Raises `Refused` when the table has none."""
    found = NEXT[happening].get(stage)
    if found is None:
        raise refusal(happening, stage)
    return found


def refusal(happening: Happening | str, stage: Stage) -> Refused:
    """Why it cannot happen in this stage, and what to do instead."""
    name = stage.value.replace("_", " ")
    sentence = f"The conversation is in {name} and cannot be {happening}: {_WAY_OUT[stage]}."
    return Refused(_CODE[stage], sentence, stage=stage.value)

"""W8: the ways of an issue through its stages."""

from enum import StrEnum
from typing import Final

from deskstream.contracts import Refused
from deskstream.contracts.linked import IssueStage

TRIAGE = IssueStage.TRIAGE
COMPLETED, WONT_FIX, DUPLICATE = IssueStage.COMPLETED, IssueStage.WONT_FIX, IssueStage.DUPLICATE
ENDED: Final = frozenset({COMPLETED, WONT_FIX, DUPLICATE})
UNENDED: Final = frozenset(IssueStage) - ENDED
WORKING: Final = UNENDED - {TRIAGE}
DECLINING: Final = frozenset({WONT_FIX, DUPLICATE})
"""How what was never accepted may end."""


class Way(StrEnum):
    """What a change of stage is."""

    WORK = "work"
    DECLINE = "decline"
    """Out of triage without being accepted: for people of the part only."""
    END = "end"
    TAKE_UP = "take_up"
    """What had ended is worked on again."""


def way(before: IssueStage, after: IssueStage) -> Way:
    """Which change this is. Raises `Refused` where there is none."""
    if before is after:
        raise Refused("issue_is_so_already", f"The issue is {_shown(after)} already.", stage=before.value)
    if after is TRIAGE:
        raise Refused("issue_left_triage", "Nothing goes back to triage. Say what shall become of it.")
    if before is TRIAGE:
        if after in DECLINING:
            return Way.DECLINE
        sentence = "It is in triage: an owner or worker of its part accepts it first, or says that it is not done."
        raise Refused("issue_in_triage", sentence, stage=before.value)
    if before in ENDED:
        if after in WORKING:
            return Way.TAKE_UP
        raise Refused("issue_is_over", f"The issue is {_shown(before)}. Take it up again first.", stage=before.value)
    return Way.END if after in ENDED else Way.WORK


def _shown(stage: IssueStage) -> str:
    return stage.value.replace("_", " ").replace("wont fix", "not to be fixed")

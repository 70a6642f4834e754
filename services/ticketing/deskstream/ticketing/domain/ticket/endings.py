"""W11: how what a ticket waited for came to its end, and which of several ends its customer has to be told of."""

from typing import Final

from deskstream.contracts.linked import IssueRef, IssueStage
from deskstream.contracts.way_back import Ending

_GRAVITY: Final[tuple[Ending, ...]] = ("completed", "dropped", "cancelled", "wont_fix", "deleted")


def is_over(issue: IssueRef) -> bool:
    """W11: whether nobody waits for it any more. A duplicate is not: its original is waited for."""
    return issue.deleted or issue.stage in (IssueStage.COMPLETED, IssueStage.WONT_FIX)


def ending_of(issue: IssueRef) -> Ending:
    """How an issue ended that nobody waits for any more."""
    if issue.deleted:
        return "deleted"
    return "wont_fix" if issue.stage is IssueStage.WONT_FIX else "completed"


def gravest(*endings: Ending | None) -> Ending | None:
    """Of several ends the one that hides none of the others: "it is done" would be untrue where a part is not."""
    return max((one for one in endings if one is not None), key=_GRAVITY.index, default=None)

"""How an issue's facts change, and what its tickets may know of it."""

from datetime import datetime
from typing import Any, TypeVar

from deskstream.contracts.chain_facts import IssueFacts
from deskstream.contracts.issues import IssueEvent
from deskstream.contracts.linked import IssueRef

E = TypeVar("E", bound=IssueEvent)


def said(kind: type[E], facts: IssueFacts, now: datetime, changes: dict[str, Any], **told: Any) -> E:
    """An event of the issue's, with its facts after these changes."""
    after = facts.model_copy(update={"version": facts.version + 1, **changes})
    return kind(issue_id=facts.id, at=now, stage_before=facts.stage, after=after, **told)


def shown(facts: IssueFacts) -> IssueRef:
    """W12: all that leaves the dev org's side of an issue; of a confidential one, not even where it is published."""
    confidential = facts.security == "yes"
    return IssueRef(
        id=facts.id,
        number=facts.number,
        stage=facts.stage,
        confidential=confidential,
        public_link=None if confidential else facts.public_link,
        deleted=facts.deleted is not None,
    )

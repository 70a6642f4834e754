"""What ticketing says of issues (`events.issues.>`), and can be asked about them.

The lane carries what is confidential: whoever faces customers must not hear it.
"""

from typing import Literal

from pydantic import Field

from deskstream.contracts.chain_facts import IssueFacts, Relation, Security, Severity, Task
from deskstream.contracts.ids import AccountId, AgentId, IssueId, PartId, TicketId
from deskstream.contracts.linked import ConversationRef, IssueRef, IssueStage, NotSent
from deskstream.contracts.message import Command, Contract, Event
from deskstream.contracts.ticket_commands import TEXT_LIMIT, Handle, Reason, Title, Version

LANE = "events.issues"

Link = Field(min_length=1, max_length=500, pattern=r"^https?://[^\s\x00-\x1f\x7f]+$")


class IssueEvent(Event, lane=LANE, key="issue_id"):
    issue_id: IssueId
    stage_before: IssueStage | None = None
    """None for the first event."""
    after: IssueFacts


class IssueFiled(IssueEvent):
    text: str = ""


class IssueChanged(IssueEvent):
    fields: tuple[str, ...]
    before: dict[str, str | bool] = {}
    """What they were, in the words of the command that changes them back."""


class IssueTextChanged(IssueEvent):
    text: str


class IssueAccepted(IssueEvent):
    by: AgentId


class IssueMoved(IssueEvent):
    """Into another stage, the final ones too."""

    reason: str = ""
    original: IssueRef | None = None
    """Of a duplicate: what is waited for instead."""


class IssueTaskChanged(IssueEvent):
    task: Task
    how: Literal["added", "done", "dropped", "delegated", "reopened"]
    reason: str = ""


class IssueRelated(IssueEvent):
    relation: Relation


class IssueUnrelated(IssueEvent):
    relation: Relation
    reason: str


class IssueWatched(IssueEvent):
    """A conversation waits for it, without a ticket between them; or no longer, once a duplicate was taken up again."""

    conversation: ConversationRef
    name: str
    """By which the conversation knows what it waits for: this issue's, or that of a duplicate of it."""
    waits: bool = True


class IssueWeighed(IssueEvent):
    """A ticket was linked or unlinked, or its customer changed."""

    ticket_id: TicketId
    linked: bool


class IssueSecurityMarked(IssueEvent):
    reason: str = ""
    link: str | None = None
    """What somebody wanted to publish when he found that it could reveal a vulnerability: nobody is told it."""


class IssuePublished(IssueEvent):
    pass


class PublicationHeld(IssueEvent):
    """It might reveal a vulnerability: colleagues are asked first."""

    asked: tuple[AgentId, ...] = ()
    link: str | None = None
    """What was to be published: nobody is told it meanwhile."""


class LeftOut(Contract):
    """Tickets that an approved answer does not reach, and why."""

    why: NotSent
    tickets: tuple[int, ...]
    """Their numbers."""


class AnswerApproved(IssueEvent):
    """One text for all customers of the issue, each on the channel of their own."""

    text: str
    by: AgentId
    tickets: tuple[TicketId, ...]
    left: int = 0
    """Tickets that one approval does not reach any more; the next one does."""
    left_out: tuple[LeftOut, ...] = ()
    """Not among `tickets`: as far as is known nothing can be sent to their customers; the next approval tries again."""


class AnswerLeftOut(IssueEvent):
    """The approved answer did not reach a ticket after all; the next approval tries again."""

    ticket_id: TicketId
    ticket_number: int
    why: NotSent


class IssueDeleted(IssueEvent):
    pass


class IssueRestored(IssueEvent):
    pass


class IssueCommand(Command, service="ticketing"):
    issue_id: IssueId


class FileIssue(Command, service="ticketing"):
    """Anybody may; it stays in triage until somebody of the part accepts it."""

    title: Title
    text: str = Field("", max_length=TEXT_LIMIT)
    part_id: PartId | None = None
    """None: the default part."""
    owner: Handle | None = None
    severity: Severity = Severity.MEDIUM
    security: Security = "no"
    tickets: tuple[TicketId, ...] = Field((), max_length=100, description="Tickets to link it to.")
    wait: bool = Field(False, description="Whether these wait for it.")


class ChangeIssue(IssueCommand):
    """Changes the fields given; the empty text takes the owner away."""

    title: Title | None = None
    text: str | None = Field(None, max_length=TEXT_LIMIT)
    part_id: PartId | None = None
    owner: str | None = Field(None, pattern=r"^[a-z0-9_-]{0,64}$")
    severity: Severity | None = None
    version: Version = None


class AcceptIssue(IssueCommand):
    """By an owner or worker of its part: out of triage."""

    stage: Literal["backlog", "prioritized", "in_development"] = "backlog"


class MoveIssue(IssueCommand):
    stage: IssueStage
    reason: str = Field("", max_length=500)
    """Needed for `wont_fix`, and to take up again what had ended."""
    duplicate_of: IssueId | None = Field(None, description="Needed for `duplicate`.")
    version: Version = None


class AddIssueTask(IssueCommand):
    title: Title
    owner: Handle | None = None


class ChangeIssueTask(IssueCommand):
    number: int = Field(ge=1)
    how: Literal["done", "dropped", "delegated", "reopened"]
    owner: Handle | None = None
    reason: str = Field("", max_length=500)
    version: Version = None


class RelateIssue(IssueCommand):
    kind: Literal["blocks", "relates"]
    to: IssueId


class UnrelateIssue(IssueCommand):
    kind: Literal["blocks", "relates"]
    to: IssueId
    reason: Reason
    version: Version = None


class MarkSecurity(IssueCommand):
    security: Security
    reason: Reason


class PublishIssue(IssueCommand):
    """Gives it a link for everybody. `reveals` answers: could this reveal a vulnerability?"""

    link: str = Link
    reveals: Literal["no", "unsure", "yes"]


class ApproveAnswer(IssueCommand):
    """Answers all customers of the issue's tickets, each on the channel of their own. `{ticket}` becomes its name."""

    text: str = Field(min_length=1, max_length=TEXT_LIMIT)
    tickets: tuple[TicketId, ...] = Field((), max_length=1000)
    """Empty: all that are linked, up to 1,000 that were not answered yet."""


class DeleteIssue(IssueCommand):
    reason: Reason
    version: Version = None


class RestoreIssue(IssueCommand):
    pass


class FindIssue(Command, service="ticketing"):
    """One issue with its text, by number or id."""

    number: int | None = Field(None, ge=1, le=2**53)
    issue_id: IssueId | None = None


class ListIssues(Command, service="ticketing"):
    stage: IssueStage | None = None
    open: bool | None = Field(None, description="Neither completed, nor won't fix, nor a duplicate.")
    part_id: PartId | None = Field(None, description="Everything below it, too.")
    owner: str | None = Field(None, max_length=64)
    """The empty text: only what nobody owns."""
    severity: Severity | None = None
    security: Security | None = None
    linked: bool | None = Field(None, description="Whether a ticket hangs on it.")
    account_id: AccountId | None = Field(None, description="Only those on which a ticket of this account's hangs.")
    sort: Literal["newest", "weight"] = "newest"
    skip: int = Field(0, ge=0, le=100_000)
    limit: int = Field(50, ge=1, le=100)

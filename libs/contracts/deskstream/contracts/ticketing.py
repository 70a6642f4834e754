"""What ticketing says of tickets and parts (`events.ticketing.>`).

Nothing on this lane names an issue by more than `IssueRef`: readers that face customers may hear it.
"""

from datetime import datetime, timedelta
from typing import Literal

from deskstream.contracts.chain_facts import PartFacts, Task, TicketFacts, TicketWait
from deskstream.contracts.facts import Resolution
from deskstream.contracts.ids import AgentId, ContactId, ConversationId, IssueId, MessageId, PartId, ReplyId, TicketId
from deskstream.contracts.linked import Asks, ConversationRef, Given, IssueRef, NotSent, TicketStage
from deskstream.contracts.message import Event

LANE = "events.ticketing"


class PartEvent(Event, lane=LANE, key="part_id"):
    part_id: PartId
    after: PartFacts


class PartSaved(PartEvent):
    """Made, or some of its fields changed."""


class PartMoved(PartEvent):
    """To another parent; what is below it goes with it."""

    before: PartId | None = None


class PartDeleted(PartEvent):
    pass


class PartRestored(PartEvent):
    pass


class PartWeighed(PartEvent):
    """A ticket was hung on this enhancement, or taken off it."""


class TicketEvent(Event, lane=LANE, key="ticket_id"):
    ticket_id: TicketId
    stage_before: TicketStage | None = None
    """None for the first event."""
    after: TicketFacts


class TicketOpened(TicketEvent):
    text: str = ""
    messages: tuple[MessageId, ...] = ()
    """The conversation's messages that it was made from."""


class TicketChanged(TicketEvent):
    fields: tuple[str, ...]
    """Which of its facts are others now."""
    before: dict[str, str | bool] = {}
    """What they were, in the words of the command that changes them back."""


class RequesterSwitched(TicketEvent):
    before: ContactId | None = None


class ConversationLinked(TicketEvent):
    conversation: ConversationRef


class ConversationUnlinked(TicketEvent):
    conversation: ConversationRef
    reason: str


class ConversationReachChanged(TicketEvent):
    """Nothing can be sent any more in one of its conversations, or something can again: `conversation.silenced`."""

    conversation: ConversationRef


class IssueLinked(TicketEvent):
    issue: IssueRef
    not_awaited: Literal["ticket_is_solved", "too_many_waits"] | None = None
    """Why the ticket does not wait for it, where whoever filed it wanted that."""


class IssueNotLinked(TicketEvent):
    """An issue was filed for the ticket, which cannot take it."""

    issue: IssueRef
    why: Literal["ticket_is_closed", "ticket_is_canceled", "ticket_is_deleted", "too_many_issues"]


class IssueUnlinked(TicketEvent):
    issue: IssueRef
    reason: str


class LinkedIssueChanged(TicketEvent):
    """An issue of its went on; with the last one it waited for, the ticket is open again."""

    issue: IssueRef
    ended: bool = False
    """Whether waiting for it is over, also what the ticket waited for until its customer chased it."""
    original: IssueRef | None = None
    """Of a duplicate: the issue that is waited for instead."""


class AgentAnswered(TicketEvent):
    """An agent's public words for this ticket, by whichever way."""

    reply_id: ReplyId | None = None
    by: AgentId | None = None
    asks: Asks | None = None
    gives: tuple[Given, ...] = ()
    conversation_id: ConversationId | None = None


class AnswerSent(TicketEvent):
    """The answer that was approved for all customers of an issue was handed to this ticket's conversations.

    Whether it left these is said by `agent_answered` or `answer_not_sent`.
    """

    issue_id: IssueId
    by: AgentId
    replies: tuple[ReplyId, ...] = ()
    """What it is called in each of them."""
    ended_at: datetime | None = None
    """Which end of the issue it is about."""


class AnswerNotSent(TicketEvent):
    """An approved answer did not leave one of its conversations, or it has none."""

    issue_id: IssueId
    why: NotSent
    conversation_id: ConversationId | None = None
    reply_id: ReplyId | None = None
    by: AgentId | None = None


class AnswerLost(TicketEvent):
    """An agent's words for this ticket left, and cannot be delivered: its customer knows nothing of them."""

    reply_id: ReplyId
    conversation_id: ConversationId
    by: AgentId | None = None


class CustomerWrote(TicketEvent):
    """`after.undecided` is set where an agent has to say whether it concerns this ticket."""

    conversation_id: ConversationId | None = None
    message_id: MessageId | None = None


class TicketPutOnHold(TicketEvent):
    reason: str = ""


class TicketWaitEnded(TicketEvent):
    """Ticked off or dropped by an agent; the last one ends the hold."""

    wait: TicketWait
    reason: str = ""


class FollowUpWanted(TicketEvent):
    """A reminder was handed to a conversation; it counts once it left."""

    reply_id: ReplyId
    conversation_id: ConversationId


class FollowUpSent(TicketEvent):
    """The customer was reminded; `after.follow_ups` counts."""

    counted: timedelta | None = None
    """Where it went out late: the open time of silence that counts as passed now."""
    reply_id: ReplyId | None = None


class FollowUpMissed(TicketEvent):
    """The customer could not be reminded, and the owner is told; it is tried again."""

    why: NotSent | Literal["no_word"]
    """`no_word`: its conversation said nothing about it yet."""
    counted: timedelta | None = None
    """The open time of silence that counts as passed now; None while nothing was said about it."""
    again_in: timedelta
    """Open time until the next try, or until the next look."""
    lost: ReplyId | None = None
    """One that had left, and counted until it could not be delivered."""


class CustomerEngineerTold(TicketEvent):
    """Told that the customer is silent, asked for help, or tagged."""

    engineer: AgentId | None = None
    why: Literal["silent_after_answer", "silent_no_answer", "tagged"]


class SolvingStopped(TicketEvent):
    """It would have been solved by itself, but for these open tasks: its owner is told."""

    tasks: tuple[Task, ...]


class TicketTaskChanged(TicketEvent):
    task: Task
    how: Literal["added", "done", "dropped", "delegated", "reopened"]
    reason: str = ""


class TicketSolved(TicketEvent):
    category: Resolution
    despite_tasks: str | None = None
    """Why it was solved although tasks born from it are open."""


class TicketCanceled(TicketEvent):
    reason: str


class TicketClosed(TicketEvent):
    pass


class TicketDeleted(TicketEvent):
    pass


class TicketRestored(TicketEvent):
    pass

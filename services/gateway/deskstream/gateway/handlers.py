"""What the gateway hears: everything that is said about conversations, tickets, issues and parts, for the views."""

from collections.abc import Sequence
from typing import Any

from deskstream.contracts import Event, issues, ticketing
from deskstream.contracts import conversation as said
from deskstream.contracts import conversation_tickets as said_of_tickets
from deskstream.contracts.routing import OwnerChosen
from deskstream.contracts.sla import ClockBreached, ClockResumed, ClockStarted, ClockStopped, ClockWarned
from deskstream.gateway.store import projection, work
from deskstream.gateway.views.lines import line
from deskstream.gateway.views.rows import rows
from deskstream.gateway.views.work import of_parts, of_tickets, part_rows, ticket_rows
from deskstream.messaging import Heard, Project, Tx

OF_CONVERSATIONS: tuple[type[Event], ...] = (
    said.ConversationOpened,
    said.CustomerReplied,
    said.AutomaticMessageFiled,
    said.SuspicionReviewed,
    said.ReplyQueued,
    said.ReplyWithdrawn,
    said.AgentReplied,
    said.DeliveryChanged,
    said.NoteAdded,
    said.TitleChanged,
    said.ParticipantAdded,
    said.TagsChanged,
    said.PriorityChanged,
    said.ConversationShared,
    said.ConversationSnoozed,
    said.SnoozeEnded,
    said.PutOnHold,
    said.WaitEnded,
    said.ConversationResolved,
    said.ConversationArchived,
    said.FollowUpNeeded,
    said_of_tickets.LinkedTicketsChanged,
    said_of_tickets.TicketSuggestionDismissed,
    OwnerChosen,
    ClockStarted,
    ClockStopped,
    ClockResumed,
    ClockWarned,
    ClockBreached,
)

OF_WORK: tuple[type[Event], ...] = (
    ticketing.TicketOpened,
    ticketing.TicketChanged,
    ticketing.RequesterSwitched,
    ticketing.ConversationLinked,
    ticketing.ConversationUnlinked,
    ticketing.ConversationReachChanged,
    ticketing.IssueLinked,
    ticketing.IssueNotLinked,
    ticketing.IssueUnlinked,
    ticketing.LinkedIssueChanged,
    ticketing.AgentAnswered,
    ticketing.AnswerSent,
    ticketing.AnswerNotSent,
    ticketing.AnswerLost,
    ticketing.CustomerWrote,
    ticketing.TicketPutOnHold,
    ticketing.TicketWaitEnded,
    ticketing.FollowUpWanted,
    ticketing.FollowUpSent,
    ticketing.FollowUpMissed,
    ticketing.CustomerEngineerTold,
    ticketing.SolvingStopped,
    ticketing.TicketTaskChanged,
    ticketing.TicketSolved,
    ticketing.TicketCanceled,
    ticketing.TicketClosed,
    ticketing.TicketDeleted,
    ticketing.TicketRestored,
    ticketing.PartSaved,
    ticketing.PartMoved,
    ticketing.PartDeleted,
    ticketing.PartRestored,
    ticketing.PartWeighed,
    issues.IssueFiled,
    issues.IssueChanged,
    issues.IssueTextChanged,
    issues.IssueAccepted,
    issues.IssueMoved,
    issues.IssueTaskChanged,
    issues.IssueRelated,
    issues.IssueUnrelated,
    issues.IssueWatched,
    issues.IssueWeighed,
    issues.IssueSecurityMarked,
    issues.IssuePublished,
    issues.PublicationHeld,
    issues.AnswerApproved,
    issues.AnswerLeftOut,
    issues.IssueDeleted,
    issues.IssueRestored,
)

SHOWN = (*OF_CONVERSATIONS, *OF_WORK)

_WORK = frozenset(OF_WORK)


async def project(tx: Tx, heard: Sequence[Heard[Any]]) -> None:
    # The feed first: its lock puts two projectors in a row before either holds a row of the views.
    await projection.append(tx, [line(one) for one in heard])
    about_work = [one for one in heard if type(one.data) in _WORK]
    if len(about_work) < len(heard):
        talk = [one for one in heard if type(one.data) not in _WORK] if about_work else heard
        await projection.upsert(tx, rows(talk))
    if about_work:
        await work.upsert_tickets(tx, ticket_rows(of_tickets(about_work)))
        await work.upsert_parts(tx, part_rows(of_parts(about_work)))


HEARS = (Project(SHOWN, project),)

"""What the gateway hears: everything that is said about conversations, projected into the views."""

from collections.abc import Sequence
from typing import Any

from deskstream.contracts import Event
from deskstream.contracts import conversation as said
from deskstream.contracts.routing import OwnerChosen
from deskstream.contracts.sla import ClockBreached, ClockResumed, ClockStarted, ClockStopped, ClockWarned
from deskstream.gateway.store import projection
from deskstream.gateway.views.lines import line
from deskstream.gateway.views.rows import rows
from deskstream.messaging import Heard, Project, Tx

SHOWN: tuple[type[Event], ...] = (
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
    OwnerChosen,
    ClockStarted,
    ClockStopped,
    ClockResumed,
    ClockWarned,
    ClockBreached,
)


async def project(tx: Tx, heard: Sequence[Heard[Any]]) -> None:
    # The feed first: its lock puts two projectors in a row before either holds a row of the inbox.
    await projection.append(tx, [line(one) for one in heard])
    await projection.upsert(tx, rows(heard))


HEARS = (Project(SHOWN, project),)

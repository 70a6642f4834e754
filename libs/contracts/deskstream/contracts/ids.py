"""Ids: what they are called, and how ids of effects and of new objects follow from their cause."""

from typing import NewType
from uuid import UUID, uuid5

MessageId = NewType("MessageId", UUID)
ThreadId = NewType("ThreadId", UUID)
ConversationId = NewType("ConversationId", UUID)
ContactId = NewType("ContactId", UUID)
AccountId = NewType("AccountId", UUID)
WorkspaceId = NewType("WorkspaceId", UUID)
ReplyId = NewType("ReplyId", UUID)
NoteId = NewType("NoteId", UUID)
RuleId = NewType("RuleId", UUID)
TicketId = NewType("TicketId", UUID)
IssueId = NewType("IssueId", UUID)
PartId = NewType("PartId", UUID)
TaskId = NewType("TaskId", UUID)
# A dev-org member is known by a handle that people type: "anna", "bruno".
AgentId = NewType("AgentId", str)
TeamId = NewType("TeamId", str)


def effect_id(cause: UUID, service: str, position: int) -> UUID:
    """The id of the `position`-th thing (from 0) that `service` says because of `cause`.

    The service is part of the name: two readers of one event would otherwise make the same id, and the broker's
    duplicate window would drop the second.
    """
    return uuid5(cause, f"{service}/{position}")


def object_id(cause: UUID, kind: str, position: int = 0) -> UUID:
    """The id of the `position`-th new object of a kind that `cause` creates; a retry creates the same."""
    return uuid5(cause, f"{kind}/{position}")

"""What is remembered of a ticket: its public facts and little beside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeAlias

from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.ids import ConversationId, IssueId, ReplyId, TicketId
from deskstream.contracts.linked import Given
from deskstream.contracts.way_back import Ending

CONVERSATIONS_LIMIT: Final = 100
ISSUES_LIMIT: Final = 50
WAITS_LIMIT: Final = 20
GAVE_LIMIT: Final = 20
QUESTIONS_LIMIT: Final = 20


@dataclass(frozen=True, slots=True)
class Unopened:
    """A ticket that does not exist; `number` is the one it gets when it is opened."""

    id: TicketId
    number: int


class Reminder(NamedTuple):
    """A follow-up that was handed to a conversation, of which nothing was heard yet."""

    reply_id: ReplyId
    looked_at: datetime
    """When it was handed over, or its owner was told last that nothing is heard of it."""


class Handed(NamedTuple):
    """An approved answer that was handed to a conversation, of which nothing was heard yet."""

    reply_id: ReplyId
    issue_id: IssueId


class Lost(NamedTuple):
    """An approved answer that left and could not be delivered."""

    reply_id: ReplyId
    issue_id: IssueId
    ended_at: datetime | None


class Gave(NamedTuple):
    """What a reply gave; None: an answer by another way."""

    reply_id: ReplyId | None
    gives: tuple[Given, ...]


class Followed(NamedTuple):
    """A duplicate that led to its original, by their names, and what following it did: undone if it was none."""

    double: str
    original: str
    linked: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """How long the customer of a pending ticket is silent: `counted` open time up to `since`, and what came after."""

    since: datetime
    counted: timedelta = timedelta()
    asked_in: ConversationId | None = None
    """Where the question stands; None: wherever it was linked last."""
    engineer_asked_at: datetime | None = None
    stopped: bool = False
    """Whether its owner was told that open tasks keep it from being solved."""
    under_way: Reminder | None = None
    questions: tuple[ReplyId | None, ...] = ()
    """The replies that asked, of which none is lost; None: by another way."""
    reminders: tuple[ReplyId, ...] = ()
    """The follow-ups that count."""
    lost: tuple[ReplyId, ...] = ()
    """Those that left and could not be delivered: sent once more, they count."""


@dataclass(frozen=True, slots=True)
class Ticket:
    facts: TicketFacts
    text: str = ""
    silence: Silence | None = None
    """While it is pending."""
    told_of: tuple[IssueId, ...] = ()
    """Issues about which the approved answer was handed over, and may have left."""
    ends_told: Mapping[IssueId, datetime] = field(default_factory=dict)
    """Of these: when the issue had ended of which was told, as far as that was said."""
    handed: tuple[Handed, ...] = ()
    left: tuple[Handed, ...] = ()
    """Approved answers that left, as far as anybody knows."""
    lost: tuple[Lost, ...] = ()
    """Approved answers that could not be delivered: sent once more, they tell of what they told of."""
    gave: tuple[Gave, ...] = ()
    """What the latest replies gave the customer."""
    gravest: Ending | None = None
    """Of what it waits for, or waited for once, and that is over: the end that its customer has to be told of."""
    followed: tuple[str, ...] = ()
    """Duplicates that it waited for, or once did, and for whose originals it waits in their place."""
    originals: tuple[Followed, ...] = ()
    """Where the duplicates that are linked led to."""
    once_awaited: tuple[str, ...] = ()
    """Issues that it waited for until its customer chased it, like `ISS-31`: their end is told all the same."""
    relinked: bool = False
    """Whether its conversations changed since it was loaded."""

    @property
    def id(self) -> TicketId:
        return self.facts.id


TicketState: TypeAlias = Unopened | Ticket


def where_asked(state: TicketState, facts: TicketFacts) -> ConversationId | None:
    """The conversation in which the customer was asked, else the latest; None where there is none."""
    linked = [conversation.id for conversation in facts.conversations]
    asked_in = state.silence.asked_in if isinstance(state, Ticket) and state.silence is not None else None
    return asked_in if asked_in in linked else linked[-1] if linked else None

"""Stories of a conversation, told in sentences: `05-04 10:05 customer writes`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import pytest

from deskstream.calendars import BusinessCalendar, Window
from deskstream.contracts import conversation as said
from deskstream.contracts.facts import ConversationFacts, Kind, Note, ReceivedMessage, Reply, Resolution, Stage, Wait
from deskstream.contracts.ids import AgentId, ConversationId, MessageId, NoteId, ReplyId, ThreadId
from deskstream.contracts.inbound import DeliveryState, Identity
from deskstream.contracts.message import Event
from deskstream.contracts.sla import Metric
from deskstream.sla.domain import Clocks, Policy, Rules, Woken, decide, due, evolve

BERLIN = ZoneInfo("Europe/Berlin")
NAMES = UUID("b7f0c7de-0d47-4ae6-93f5-5f2fd3f2a2f1")
CONVERSATION = ConversationId(uuid5(NAMES, "conversation"))
OFFICE = (Window(9 * 3600, 12 * 3600), Window(13 * 3600, 17 * 3600))


@dataclass
class Sent:
    """A reply that answers, and the oldest message that it answered."""

    name: str
    answered: datetime | None
    lost: bool = False


@dataclass
class Story:
    """A conversation as its own service would tell it, rule by rule, as far as clocks can see it."""

    conversation_id: ConversationId = CONVERSATION
    sentences: list[str] = field(default_factory=list)
    events: list[said.ConversationEvent] = field(default_factory=list, repr=False)
    stage: Stage | None = None
    kind: Kind = Kind.CUSTOMER
    created_at: datetime | None = None
    valid_at: datetime | None = None
    unanswered: datetime | None = None
    last_asked: datetime | None = None
    replies: list["Sent"] = field(default_factory=list)

    def tell(self, *sentences: str) -> list[said.ConversationEvent]:
        for sentence in sentences:
            day, clock, *words = sentence.split()
            local = datetime.fromisoformat(f"{'' if len(day) > 5 else '2026-'}{day}T{clock}").replace(tzinfo=BERLIN)
            self.say(local.astimezone(UTC), " ".join(words))
        return self.events

    def say(self, at: datetime, sentence: str) -> None:
        self.sentences.append(f"{at.astimezone(BERLIN):%m-%d %H:%M:%S.%f} {sentence}")
        words, _, name = sentence.partition(":")
        getattr(self, "_" + words.replace(" ", "_"))(at, name.strip())

    def _say(self, kind: type[said.ConversationEvent], at: datetime, stage: Stage | None = None, **fields: Any) -> None:
        before, self.stage = self.stage, stage or self.stage
        assert self.stage is not None
        self.created_at = self.created_at or at
        after = ConversationFacts(
            id=self.conversation_id,
            thread_id=ThreadId(uuid5(NAMES, "thread")),
            number=12,
            version=len(self.events) + 1,
            stage=self.stage,
            kind=self.kind,
            channel="email",
            inbox="support",
            created_at=self.created_at,
            valid_at=self.valid_at,
            oldest_unanswered_at=self.unanswered,
            last_public_at=at,
            public_replies=sum(not reply.lost for reply in self.replies),
        )
        event = kind(at=at, conversation_id=self.conversation_id, stage_before=before, after=after, **fields)
        self.events.append(event)

    def _customer_opens(self, at: datetime, name: str) -> None:
        self.valid_at = self.unanswered = self.last_asked = at
        self._say(said.ConversationOpened, at, Stage.NEW, message=message(at))

    def _suspicious_opens(self, at: datetime, name: str) -> None:
        self.last_asked = at
        self._say(said.ConversationOpened, at, Stage.SUSPENDED, message=message(at))

    def _agent_opens(self, at: datetime, name: str) -> None:
        self.kind = Kind.AGENT
        self._say(said.ConversationOpened, at, Stage.NEW)

    def _system_opens(self, at: datetime, name: str) -> None:
        self.kind, self.valid_at = Kind.SYSTEM, at
        self._say(said.ConversationOpened, at, Stage.NEW)

    def _reviewed_valid(self, at: datetime, name: str) -> None:
        self.valid_at = self.unanswered = self.valid_at or at
        self._say(said.SuspicionReviewed, at, Stage.NEW, verdict="valid")

    def _reviewed_spam(self, at: datetime, name: str) -> None:
        self.unanswered = None
        after = Stage.ARCHIVED if self.stage is Stage.SUSPENDED else Stage.SUSPENDED
        self._say(said.SuspicionReviewed, at, after, verdict="spam")

    def _customer_writes(self, at: datetime, name: str) -> None:
        self.last_asked = at
        if self.stage is not Stage.SUSPENDED:
            self.unanswered = self.unanswered or at
            if all(reply.lost for reply in self.replies):
                self.valid_at = self.valid_at or at
        moves = self.stage in (Stage.WAITING_ON_USER, Stage.HOLD, Stage.RESOLVED)
        self._say(said.CustomerReplied, at, Stage.NEEDS_RESPONSE if moves else None, message=message(at))

    def _out_of_office(self, at: datetime, name: str) -> None:
        self._say(said.AutomaticMessageFiled, at, message=message(at))

    def _agent_answers(self, at: datetime, name: str) -> None:
        self.replies.append(Sent(name, self.unanswered))
        self.unanswered = None
        moves = self.stage in (Stage.NEW, Stage.NEEDS_RESPONSE)
        self._say(said.AgentReplied, at, Stage.WAITING_ON_USER if moves else None, reply=reply(at, name))

    def _overtaken_answer(self, at: datetime, name: str) -> None:
        """It was written before the customer's last message, and released after it."""
        self.replies.append(Sent(name, self.unanswered))
        self.unanswered = self.last_asked
        self._say(said.AgentReplied, at, Stage.NEEDS_RESPONSE, reply=reply(at, name))

    def _sent_again(self, at: datetime, name: str) -> None:
        """A lost reply counts as sent now; one that only failed for the moment has counted all the time."""
        if any(sent.name == name and sent.lost for sent in self.replies):
            self._agent_answers(at, name)
        else:
            self.replies.append(Sent(name, None))
            self._say(said.AgentReplied, at, reply=reply(at, name))

    def _agent_signals(self, at: datetime, name: str) -> None:
        self._say(said.AgentReplied, at, reply=reply(at, name, signal=True))

    def _robot_answers(self, at: datetime, name: str) -> None:
        self._say(said.AgentReplied, at, reply=reply(at, name, automatic=True))

    def _agent_notes(self, at: datetime, name: str) -> None:
        note = Note(id=NoteId(uuid5(NAMES, "note")), author=AgentId("anna"), text="Looks like the export.")
        self._say(said.NoteAdded, at, note=note)

    def _on_hold(self, at: datetime, name: str) -> None:
        self._say(said.PutOnHold, at, Stage.HOLD)

    def _wait_ends(self, at: datetime, name: str) -> None:
        wait = Wait(kind="person", name="carla")
        self._say(said.WaitEnded, at, Stage.NEEDS_RESPONSE, wait=wait, how="completed")

    def _resolved(self, at: datetime, name: str) -> None:
        self.unanswered = None
        self._say(said.ConversationResolved, at, Stage.RESOLVED, category=Resolution.ANSWERED)

    def _archived(self, at: datetime, name: str) -> None:
        self.unanswered = None
        self._say(said.ConversationArchived, at, Stage.ARCHIVED)

    def _delivered(self, at: datetime, name: str) -> None:
        self._say(said.DeliveryChanged, at, reply_id=reply_id(name), state=DeliveryState.DELIVERED)

    def _tried_in_vain(self, at: datetime, name: str) -> None:
        self._say(said.DeliveryChanged, at, reply_id=reply_id(name), state=DeliveryState.FAILED)

    def _undelivered(self, at: datetime, name: str) -> None:
        found = [n for n, sent in enumerate(self.replies) if sent.name == name and not sent.lost]
        heirs = [sent for sent in self.replies[found[0] + 1 :] if not sent.lost] if found else []
        for n in found[:1]:
            self.replies[n].lost = True
            if self.stage is not Stage.ARCHIVED and not heirs:
                self.unanswered = min(filter(None, (self.unanswered, self.replies[n].answered)), default=None)
        back = found and self.stage is not Stage.ARCHIVED
        self._say(
            said.DeliveryChanged,
            at,
            Stage.NEEDS_RESPONSE if back else None,
            reply_id=reply_id(name),
            state=DeliveryState.FAILED,
            permanent=True,
        )


def reply_id(name: str) -> ReplyId:
    return ReplyId(uuid5(NAMES, name))


def reply(at: datetime, name: str, **marks: bool) -> Reply:
    return Reply(id=reply_id(name), author=AgentId("anna"), text=name, written_at=at, release_at=at, **marks)


def message(at: datetime) -> ReceivedMessage:
    return ReceivedMessage(
        id=MessageId(uuid5(NAMES, at.isoformat())),
        channel="email",
        inbox="support",
        external_id="<1@example.com>",
        sender=Identity(email="bea@example.com"),
        text="It does not work.",
        received_at=at,
    )


@dataclass
class Played:
    clocks: Clocks
    said: list[Event]


def play(
    rules: Rules,
    events: Sequence[said.ConversationEvent],
    *,
    until: datetime | None = None,
    heard_at: datetime | None = None,
    clocks: Clocks | None = None,
) -> Played:
    """What the runner does with a story: on time, with timers; or all of it late, at one moment, timers after."""
    played = Played(clocks or Clocks.none_yet(CONVERSATION), [])
    for event in events:
        if heard_at is None:
            _wake(rules, played, event.at)
        _tell(rules, played, event, heard_at or event.at)
        played.clocks = evolve(rules, played.clocks, event)
    if until:
        _wake(rules, played, until, heard_at)
    return played


def _wake(rules: Rules, played: Played, until: datetime, heard_at: datetime | None = None) -> None:
    while (moment := due(played.clocks)) and moment <= until:
        _tell(rules, played, Woken(), heard_at or moment)


def _tell(rules: Rules, played: Played, heard: Any, now: datetime) -> None:
    for event in decide(rules, played.clocks, heard, now):
        played.clocks = evolve(rules, played.clocks, event)
        played.said.append(event)


@pytest.fixture(scope="session")
def tell() -> Callable[..., list[said.ConversationEvent]]:
    return lambda *sentences: Story().tell(*sentences)


@pytest.fixture(scope="session")
def story() -> type[Story]:
    return Story


@pytest.fixture(scope="session")
def played() -> Callable[..., Played]:
    return play


@pytest.fixture(scope="session")
def at() -> Callable[[str], datetime]:
    """`05-04 09:20` in Berlin, in 2026."""
    return lambda text: datetime.fromisoformat(f"2026-{text.replace(' ', 'T')}").replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.fixture(scope="session")
def office() -> BusinessCalendar:
    """The calendar of the vectors of S10."""
    holidays = {date(2026, 5, 1): "Labour Day"}
    return BusinessCalendar("office", "1", BERLIN, (OFFICE,) * 5 + ((), ()), lambda year: holidays)


@pytest.fixture(scope="session")
def rules(office: BusinessCalendar) -> Callable[..., Rules]:
    """The rules with one target, in minutes, for both metrics."""

    def rules_of(minutes: int = 120) -> Rules:
        return Rules(Policy("test", "1", dict.fromkeys(Metric, minutes)), office)

    return rules_of


@pytest.fixture(scope="session")
def lines() -> Callable[[Sequence[Any]], list[str]]:
    """What was said, a line an event: `first_response 1 started`."""

    def line(event: Any) -> str:
        word = event.NAME.removeprefix("clock_")
        outcome = f" {event.outcome}" if event.NAME == "clock_stopped" else ""
        return f"{event.clock.metric} {event.clock.ordinal} {word}{outcome}"

    return lambda events: [line(event) for event in events]

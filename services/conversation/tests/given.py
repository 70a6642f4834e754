"""Conversations in every stage, and the messages that reach them: what the tables of this folder are made of."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4, uuid5

from deskstream.contracts import Event
from deskstream.contracts import conversation as asked
from deskstream.contracts.facts import ContactFacts, ReceivedMessage, Reply, Resolution, Stage, Wait
from deskstream.contracts.ids import AgentId, ContactId, ConversationId, MessageId, NoteId, ReplyId, TicketId
from deskstream.contracts.inbound import Automatic, AutomaticKind, DeliveryState, Identity
from deskstream.contracts.ingest import DeliveryNoted
from deskstream.contracts.linked import LinkedTicket, TicketStage
from deskstream.contracts.outbound import OutboundMessage
from deskstream.contracts.routing import Cause, DecisionRecord, OwnerChosen
from deskstream.contracts.way_back import TicketReported
from deskstream.conversation.domain import Conversation, State, Unopened, decide, due, evolve
from deskstream.conversation.domain.messages import (
    Incoming,
    Join,
    Retitle,
    SendAgain,
    Sending,
    Start,
    TimeCame,
    WriteNote,
    WriteReply,
)

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
NAMES = UUID("00000000-0000-4000-8000-000000000000")
ID = ConversationId(uuid5(NAMES, "conversation"))
FOLLOW_UP = ConversationId(uuid5(NAMES, "follow-up"))
UNDO = timedelta(seconds=10)
AT_ONCE = timedelta(0)
SPAM = ("advertises a casino",)
OUT_OF_OFFICE = Automatic(kind=AutomaticKind.AUTO_REPLY, reason="Auto-Submitted: auto-replied")
BOUNCE = Automatic(kind=AutomaticKind.BOUNCE, reason="null return path")
NEWSLETTER = Automatic(kind=AutomaticKind.LIST, reason="List-Id")
ANNA, BRUNO = "anna", "bruno"
TICKET = Wait(kind="ticket", name="TKT-7")
CARLA = Wait(kind="person", name="carla")

_numbers = count(1)


def new_id() -> UUID:
    return uuid5(NAMES, str(next(_numbers)))


def another() -> ConversationId:
    """The id of a conversation that no other test has."""
    return ConversationId(uuid4())


def person(email="ada@acme.com", name=None) -> Identity:
    return Identity(email=email, name=name)


ADA = ContactFacts(id=ContactId(new_id()), name="Ada", email="ada@acme.com")
TKT_7, TKT_8, TKT_9 = TicketId(new_id()), TicketId(new_id()), TicketId(new_id())
BOB = ContactFacts(id=ContactId(new_id()), name="Bob", email="bob@acme.com")


def letter(text="It does not work.", *, at=NOON, **more: Any) -> ReceivedMessage:
    wanted: dict[str, Any] = {
        "id": MessageId(new_id()),
        "channel": "email",
        "inbox": "support",
        "external_id": f"<{new_id()}@acme.com>",
        "sender": person(),
        "text": text,
        "received_at": at,
    }
    return ReceivedMessage(**wanted | more)


def incoming(message: ReceivedMessage, *, contact=ADA, to=ID) -> Incoming:
    return Incoming(to, message, follow_up_id=ConversationId(new_id()), contact=contact)


def passed_on(event: asked.MessagePassedOn) -> Incoming:
    new = ConversationId(new_id())
    return Incoming(event.follow_up_id, event.message, follow_up_id=new, passed_on=event)


def chosen(owner: str | None, **more: Any) -> OwnerChosen:
    return OwnerChosen(
        at=NOON,
        conversation_id=ID,
        number=1,
        owner=None if owner is None else AgentId(owner),
        cause=Cause.ACCOUNT_DEFAULT,
        record=DecisionRecord(inputs={}, steps=(), candidates=()),
        **more,
    )


@dataclass
class Story:
    """One conversation, told step by step; the clock moves a minute a step unless a step says otherwise."""

    id: ConversationId = ID
    now: datetime = NOON
    undo: timedelta = AT_ONCE
    state: State = field(init=False)
    taken: list[Any] = field(default_factory=list)
    """Everything that changed it, own and absorbed."""
    replies: dict[UUID, Reply] = field(default_factory=dict)
    """Every reply that was released, as the messages table has it."""

    def __post_init__(self):
        self.state = Unopened(self.id, 12)

    @property
    def open(self) -> Conversation:
        assert isinstance(self.state, Conversation)
        return self.state

    @property
    def facts(self):
        return self.open.facts

    def tell(self, message: Any, *, after=timedelta(minutes=1)) -> list[Any]:
        self.now += after
        said = decide(self.state, message, self.now)
        for event in said:
            self.absorb(event)
        return said

    def absorb(self, event: Event) -> None:
        self.state = evolve(self.state, event)
        self.taken.append(event)
        if isinstance(event, asked.AgentReplied):
            self.replies[event.reply.id] = event.reply

    def customer(self, text="It does not work.", *, contact=ADA, after=timedelta(minutes=1), **more):
        more.setdefault("at", self.now + after)
        return self.tell(incoming(letter(text, **more), contact=contact, to=self.id), after=after)

    def reply(self, text="Try again.", *, by=ANNA, undo=None, after=timedelta(minutes=1), **more):
        more.setdefault("last_seen", self.facts.version)
        return self.tell(
            written(text, by=by, undo=self.undo if undo is None else undo, to=self.id, **more), after=after
        )

    def note(self, text="Looks like TKT-7.", *, by=ANNA):
        wanted = asked.AddNote(conversation_id=self.id, text=text)
        return self.tell(WriteNote(self.id, NoteId(new_id()), AgentId(by), wanted))

    def ask(self, kind, *, after=timedelta(minutes=1), **more):
        wish = kind(conversation_id=self.id, **more)
        return self.tell(Retitle(self.id, wish) if isinstance(wish, asked.SetTitle) else wish, after=after)

    def hold(self, *waits: Wait):
        return self.ask(asked.Hold, waits=waits or (TICKET,), reason="needs an engineer")

    def resolve(self, category=Resolution.ANSWERED):
        return self.ask(asked.Resolve, category=category)

    def archive(self):
        return self.ask(asked.Archive)

    def review(self, verdict):
        return self.ask(asked.Review, verdict=verdict)

    def add(self, identity, side="customer"):
        wanted = asked.AddParticipant(conversation_id=self.id, identity=identity, side=side)
        return self.tell(Join(self.id, AgentId(ANNA), wanted))

    def report(self, state=DeliveryState.SENT, *, of: UUID | None = None, **more):
        delivery = of or self.open.deliveries[-1].id
        noted = DeliveryNoted(
            at=self.now, conversation_id=self.id, reply_id=ReplyId(delivery), channel="email", state=state, **more
        )
        return self.tell(noted)

    def bounce(self, **more):
        return self.report(DeliveryState.FAILED, permanent=True, reason="550 no such user", **more)

    def again(self):
        delivery = self.open.deliveries[-1]
        return self.tell(SendAgain(self.id, delivery.reply_id, ReplyId(new_id()), self.replies[delivery.reply_id]))

    def wake(self):
        moment = due(self.state)
        assert moment is not None
        return self.tell(TimeCame(), after=max(moment - self.now, timedelta(0)))


def written(text="Try again.", *, by=ANNA, undo=AT_ONCE, to=ID, channels=("email",), **more) -> WriteReply:
    wanted = asked.SendReply(conversation_id=to, text=text, **more)
    return WriteReply(to, ReplyId(new_id()), by and AgentId(by), wanted, Sending(undo, frozenset(channels)))


def started(text="Your certificate expires.", *, undo=AT_ONCE, contact=None, by=ANNA, **more) -> Start:
    wanted = asked.StartConversation(
        contact=contact or person(), title=more.pop("title", "Certificate"), text=text, **more
    )
    return Start(ID, ReplyId(new_id()), by and AgentId(by), wanted, Sending(undo, frozenset({"email"})))


def in_stage(stage: Stage) -> Story:
    """A conversation that a customer began, brought to a stage the way people do."""
    story = Story()
    story.customer(title="Help", suspicious=SPAM if stage is Stage.SUSPENDED else ())
    match stage:
        case Stage.WAITING_ON_USER:
            story.reply()
        case Stage.NEEDS_RESPONSE:
            story.reply()
            story.customer()
        case Stage.HOLD:
            story.hold(TICKET)
        case Stage.RESOLVED:
            story.reply()
            story.resolve()
        case Stage.ARCHIVED:
            story.archive()
    assert story.facts.stage is stage
    return story


def report(story, ticket_id=TKT_7, number=7, stage=TicketStage.OPEN, *, internal=False, **more):
    told = LinkedTicket(id=ticket_id, number=number, title="It crashes", stage=stage, internal=internal)
    return story.tell(TicketReported(conversation_id=story.id, at=story.now, ticket=told, **more))


def with_tickets(stage, *stages):
    """A conversation in a stage, with tickets in theirs: TKT-7, TKT-8."""
    story = in_stage(stage)
    for (ticket_id, number), ticket_stage in zip(((TKT_7, 7), (TKT_8, 8)), stages, strict=False):
        report(story, ticket_id, number, ticket_stage)
    return story


def of_kind(said, kind):
    return [event for event in said if isinstance(event, kind)]


def names(said) -> list[str]:
    return [event.NAME for event in said]


def outbound(said) -> list[OutboundMessage]:
    return [event for event in said if isinstance(event, OutboundMessage)]

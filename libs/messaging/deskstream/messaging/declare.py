"""How a service says what it hears, answers and keeps: plain values that the runner, the topology and tests read.

A handler may assume: once, in order, in a transaction. It opens no transaction, publishes nothing, acknowledges
nothing; `decide` returns what is said, and everything of one batch commits together.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources.abc import Traversable
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar
from uuid import UUID

import asyncpg
from pydantic_settings import BaseSettings

from deskstream.contracts import Answered, Command, Event

Tx: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Heard(Generic[M]):
    """A message as it reached this service: an event, a command, or raw bytes of an adapter."""

    id: UUID
    """The cause: ids of effects and new objects follow from it."""
    data: M
    at: datetime
    """When it was said (the event's own time; for commands and raw messages the transaction's)."""
    actor: str | None
    lane: str
    key: str
    sequence: int
    """0 where nothing is numbered: commands, raw messages, timers."""
    correlation: UUID
    body: str = ""
    """The text as received."""
    context: str | None = None
    """The trace context (W3C traceparent) that effects carry on."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A message that may be anything: subject and bytes as an adapter published them."""

    subject: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Due:
    """The moment that an aggregate's `due` asked for has come. `decide` finds out what was due, and says it."""

    at: datetime


@dataclass(frozen=True)
class Aggregate:
    """One kind of object: how it is loaded, decided upon, changed and saved.

    `load(tx, keys)` returns a state for **every** key (locking rows `FOR UPDATE`); a key nobody knows gets the named
    beginning state. `decide(state, message, now)` is pure and returns what is said; `evolve(state, event)` returns
    the next state, for own events and absorbed ones, and the same state for events it does not concern.
    `save(tx, states)` writes the changed ones, set-based. `due(state)` is the next moment at which the object wants to
    be woken with `Due`, or None: the runner keeps the timer, moves it and cancels it as the state changes.
    """

    name: str
    load: Callable[[Tx, Sequence[str]], Awaitable[dict[str, Any]]]
    save: Callable[[Tx, Sequence[Any]], Awaitable[None]]
    decide: Callable[[Any, Any, datetime], Sequence[Event]]
    evolve: Callable[[Any, Any], Any]
    due: Callable[[Any], datetime | None] | None = None
    locks: bool = True
    """Whether the runner locks an object's head before loading, so that two replicas cannot both create it. False
    where a unique constraint or a single hearing replica guards creation already: one statement less a batch."""
    take_back: Callable[[Any, Any, Any], Any] | None = None
    """`take_back(state, message, event)` instead of `evolve` where an older database takes back what it said about that
    message, and what was handled before may have changed more than this object: names that only one may have."""


Resolve: TypeAlias = Callable[[Tx, Sequence[Heard[Any]], datetime], Awaitable[Sequence[Any]]]
"""Set-based look-up before `decide`: one domain message for each heard one, in order (within the batch an earlier one
counts for a later one). `key` is then read from what it returned."""


@dataclass(frozen=True)
class On:
    """Hears an event (or `Raw`) and decides.

    `decide` gets the event itself, or what `becomes` made of it, or what `resolve` found for it.
    """

    kind: type[Event] | type[Raw]
    aggregate: Aggregate
    key: Callable[[Any], object]
    becomes: Callable[[Heard[Any]], Any] | None = None
    resolve: Resolve | None = None
    lane: str | None = None
    """Only where the class does not name it: `outbound.email`, `inbound`."""


@dataclass(frozen=True)
class Absorb:
    """Hears an event that changes the object without anything to decide or say: `evolve(state, event)`."""

    kind: type[Event]
    aggregate: Aggregate
    key: Callable[[Any], object]


@dataclass(frozen=True)
class Project:
    """Hears events and writes a read model: `apply(tx, events)` gets all of a batch, in order, and is set-based."""

    kinds: tuple[type[Event], ...]
    apply: Callable[[Tx, Sequence[Heard[Any]]], Awaitable[None]]


@dataclass(frozen=True)
class Deliver:
    """Hears outbound messages of a channel; the sends loop gives them to the service's provider, in order per key."""

    kind: type[Event]
    lane: str


Hears: TypeAlias = On | Absorb | Project | Deliver


@dataclass(frozen=True)
class Answer:
    """Answers a command after commit.

    `decide` gets the command, or what `becomes`/`resolve` made of it. `result(state, said)` is the answer's content:
    what a screen needs. A class that is no `Command` is asked within the process only (`Running.ask`).
    """

    kind: type[Any]
    aggregate: Aggregate
    key: Callable[[Any], object]
    becomes: Callable[[Heard[Any]], Any] | None = None
    resolve: Resolve | None = None
    result: Callable[[Any, Sequence[Event]], dict[str, Any]] = lambda state, said: {}
    alone: bool = False
    """Whether each has a transaction to itself: what it looks up must hold, whatever else is decided in its batch. That
    splits the batch it came with, so it is for what is asked seldom."""


@dataclass(frozen=True)
class Query:
    """Answers a command that changes nothing."""

    kind: type[Command]
    read: Callable[[Tx, Any], Awaitable[dict[str, Any]]]


Answers: TypeAlias = Answer | Query


class SendFailed(Exception):
    """The provider did not take it; `permanent` when no further try will mend it.

    `kept_back` when nobody tried, so that no two machines answer each other for ever.
    """

    def __init__(self, reason: str, *, permanent: bool, kept_back: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.kept_back = kept_back


class SendUnknown(Exception):
    """Nobody knows whether the provider took it: shown as unknown, looked up before any retry."""


class Provider(Protocol):
    """The client of an outside API. It takes one message at a time and tells the truth."""

    async def send(self, message: Any) -> str | None:
        """Hands it over; returns the channel's id of it. Raises `SendFailed` or `SendUnknown`."""

    async def look_up(self, message: Any) -> str | None:
        """After `SendUnknown`: the channel's id if it did arrive there, else None."""

    def report(self, message: Any, outcome: "Outcome") -> Event:
        """The `DeliveryReported` to publish."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a send: state is `sent`, `failed` or `unknown`."""

    state: str
    at: datetime
    reason: str | None = None
    permanent: bool = False
    kept_back: bool = False
    external_id: str | None = None


class RequestKey(NamedTuple):
    """The idempotency key of a request that becomes a command by way of look-ups, which may be others when repeated."""

    key: str
    digest: str
    """Of the request: compared instead of the command."""


class Running(Protocol):
    """A started service, as its own background parts (SMTP server, HTTP server) see it."""

    name: str
    pool: "asyncpg.Pool[asyncpg.Record]"

    async def ask(self, message: Any, *, idempotency_key: str, actor: str | None = None) -> Answered:
        """Runs a message through this service's own runner; returns after commit."""

    async def call(
        self,
        command: Command,
        *,
        idempotency_key: str | RequestKey | None = None,
        actor: str | None = None,
    ) -> Answered:
        """Asks another service over NATS. Raises `TimeoutError` when nobody answers in time."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of a service's own that only ever grows, as monitoring shall see it: `deskstream_<name>_total`."""

    name: str
    labels: dict[str, str]
    value: float
    meaning: str


Background: TypeAlias = Callable[[Running], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Service:
    """What `app.build(settings)` returns: everything the runner needs, constructed."""

    hears: Sequence[Hears]
    answers: Sequence[Answers] = ()
    provider: Provider | None = None
    background: Sequence[Background] = ()
    figures: Callable[[Tx], Awaitable[Sequence[Figure]]] | None = None
    """What monitoring shall see beside what is counted for every service; read at each scrape."""


@dataclass(frozen=True)
class Declaration:
    """What a service is, known without any settings: the entry point `SERVICE` of its `app.py`.

    The topology (streams, durables, permissions) is made from all declarations; a test holds `hears` against what
    `build` returns.
    """

    name: str
    settings: type[BaseSettings]
    build: Callable[[Any], Service]
    migrations: Traversable
    """Folder of the service's own SQL files."""
    hears: tuple[str, ...] = ()
    """Lanes, e.g. `events.crm`, `outbound.email`; `inbound` is everything that adapters publish."""
    says: tuple[str, ...] = ()
    """Lanes it writes; one writer a lane."""
    calls: tuple[type[Command], ...] = ()
    exclusive: bool = False
    """One replica hears at a time, the others stand by (ingest: arrival order; gateway: one projector)."""
    since: dict[str, str] = field(default_factory=dict)
    """Lane -> `now` where history must not be replayed (effects outside); all others hear from the beginning."""

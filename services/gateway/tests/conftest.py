"""Conversations as the gateway hears of them, and the gateway's HTTP side around a service that is not there."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4, uuid5

import asyncpg
import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from deskstream.contracts import Answered, Command, Event
from deskstream.contracts.conversation import ConversationOpened
from deskstream.contracts.facts import (
    AccountFacts,
    ContactFacts,
    ConversationFacts,
    Priority,
    ReceivedMessage,
    Stage,
)
from deskstream.contracts.inbound import Identity
from deskstream.contracts.routing import Cause, DecisionRecord, OwnerChosen
from deskstream.contracts.sla import ClockFacts, ClockStarted, ClockStopped, Metric, Outcome
from deskstream.gateway.api.application import application
from deskstream.gateway.api.context import Context
from deskstream.gateway.config import Settings
from deskstream.gateway.handlers import project
from deskstream.gateway.live import LiveFeed
from deskstream.gateway.server import http
from deskstream.messaging import Heard, RequestKey

MONDAY = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
NAMES = UUID("6a2f7c7e-55a8-4d30-9a0b-0d5e4f6b1c11")
TOKEN = "a token that only tests know"


class Story:
    """One conversation, told event by event; every event is as its service would say it."""

    def __init__(self, number: int, at: datetime = MONDAY, **facts: Any) -> None:
        self.id = uuid5(NAMES, f"conversation {number}")
        self.number = number
        self.at = at
        self.sequences: dict[str, int] = {}
        self.facts = ConversationFacts.model_validate(
            {
                "id": self.id,
                "thread_id": uuid5(NAMES, f"thread {number}"),
                "number": number,
                "version": 0,
                "stage": Stage.NEW,
                "channel": "email",
                "inbox": "support",
                "title": f"Question {number}",
                "contact": ContactFacts(
                    id=uuid5(NAMES, f"contact {number}"), name="Carla", email=f"carla{number}@customer.example"
                ),
                "created_at": at,
                "valid_at": at,
                "oldest_unanswered_at": at,
                "last_public_at": at,
                **facts,
            }
        )

    def later(self, **span: float) -> "Story":
        self.at += timedelta(**span)
        return self

    def hear(self, event: Event, actor: str | None = None) -> Heard[Any]:
        self.sequences[event.LANE] = self.sequences.get(event.LANE, 0) + 1
        return Heard(
            id=uuid4(), data=event, at=self.at, actor=actor, lane=event.LANE, key=str(self.id),
            sequence=self.sequences[event.LANE], correlation=uuid4(),
        )  # fmt: skip

    def say(
        self, kind: type[Event], *, actor: str | None = None, now: dict[str, Any] | None = None, **said: Any
    ) -> Any:
        """The next event of the conversation's own lane; `now` is what changes in its state."""
        before = None if kind is ConversationOpened else self.facts.stage
        version = self.sequences.get(kind.LANE, 0) + 1
        self.facts = self.facts.model_copy(update=(now or {}) | {"version": version})
        event = kind.model_validate(
            {"at": self.at, "conversation_id": self.id, "stage_before": before, "after": self.facts} | said
        )
        return self.hear(event, actor)

    def message(self, text: str = "Where is my order?", **more: Any) -> ReceivedMessage:
        return ReceivedMessage.model_validate(
            {
                "id": uuid4(),
                "channel": self.facts.channel,
                "inbox": self.facts.inbox,
                "external_id": str(uuid4()),
                "sender": Identity(name="Carla", email=f"carla{self.number}@customer.example"),
                "text": text,
                "received_at": self.at,
            }
            | more
        )

    def opened(self, **now: Any) -> Any:
        return self.say(ConversationOpened, now=now, message=self.message())

    def owned(self, owner: str | None = "anna", priority: Priority = Priority.NORMAL, **more: Any) -> Any:
        said = {
            "at": self.at,
            "conversation_id": self.id,
            "number": self.number,
            "owner": owner,
            "team": "support",
            "cause": Cause.KEYWORD_RULE,
            "priority": priority,
            "record": DecisionRecord(inputs={"channel": "email"}, steps=(), candidates=()),
        }
        return self.hear(OwnerChosen.model_validate(said | more))

    def clock(self, metric: Metric = Metric.FIRST_RESPONSE, minutes: int = 120) -> ClockFacts:
        due = self.at + timedelta(minutes=minutes)
        return ClockFacts(
            metric=metric, started_at=self.at, target_minutes=minutes, warn_at=due - timedelta(minutes=minutes / 4),
            due_at=due, policy="default", calendar="default",
        )  # fmt: skip

    def started(self, metric: Metric = Metric.FIRST_RESPONSE, minutes: int = 120) -> Any:
        clock = self.clock(metric, minutes)
        return self.hear(ClockStarted(at=self.at, conversation_id=self.id, number=self.number, clock=clock))

    def stopped(self, metric: Metric = Metric.FIRST_RESPONSE, outcome: Outcome = Outcome.MET) -> Any:
        stopped = ClockStopped(
            at=self.at, conversation_id=self.id, number=self.number, clock=self.clock(metric), outcome=outcome,
            stopped_at=self.at, business_minutes=12.0, calendar_minutes=12.0, calendar_minutes_from_creation=12.0,
        )  # fmt: skip
        return self.hear(stopped)


@dataclass
class Service:
    """The gateway's side of a started service: keeps what was called, answers what a test laid ready."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    name: str = "gateway"
    calls: list[tuple[Command, str | None, str | None]] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    """Of the requests that the calls were made of, as far as they were made of one."""
    answer: Callable[[Command], Answered] = lambda command: Answered(ok=True, result={"state": "queued"})

    async def call(
        self, command: Command, *, idempotency_key: str | RequestKey | None = None, actor: str | None = None
    ) -> Answered:
        key = idempotency_key
        if isinstance(key, RequestKey):
            key, digest = key
            self.digests.append(digest)
        self.calls.append((command, key, actor))
        return self.answer(command)

    async def ask(self, message: Any, *, idempotency_key: str, actor: str | None = None) -> Answered:
        raise NotImplementedError("the gateway answers no command of its own")


@pytest.fixture
def story() -> type[Story]:
    return Story


@pytest.fixture
def account() -> Callable[[str], AccountFacts]:
    return lambda name: AccountFacts(id=uuid5(NAMES, name), name=name)


@pytest_asyncio.fixture
async def pool(pool_for):
    return await pool_for("gateway")


@pytest.fixture
def hear(pool):
    """What the runner does with a batch."""

    async def hear(*heard: Heard[Any]) -> None:
        async with pool.acquire() as tx, tx.transaction():
            await project(tx, heard)

    return hear


@pytest.fixture
def service(pool) -> Service:
    return Service(pool)


_IDLE: list[FastAPI] = []
"""An application makes its routes with the first request, which takes longer than most tests; the next may have it."""


@asynccontextmanager
async def client_of(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, as anna."""
    here = Context(service, LiveFeed(service.pool, every=0.01, heartbeat=0.2, most=10), TOKEN.encode())
    app = _IDLE.pop() if _IDLE else application(here)
    app.state.context = here
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Agent": "anna"}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as client:
        yield client
    _IDLE.append(app)


@pytest_asyncio.fixture
async def api(service) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(service) as client:
        yield client


@pytest.fixture
def unread() -> Service:
    """A service without a database: whatever asks it for one fails."""
    return Service(pool=cast("asyncpg.Pool[asyncpg.Record]", None))


@pytest_asyncio.fixture
async def door(unread) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that gets no further than its own checks and its calls."""
    async with client_of(unread) as client:
        yield client


@pytest.fixture
def serving(service):
    """The real server on a free port, started as the runner starts it."""

    @asynccontextmanager
    async def serving(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            listen = f"127.0.0.1:{free.getsockname()[1]}"
        told = Settings.model_validate({"listen": listen, "token": TOKEN, "feed_every": 0.01} | settings)
        headers = {"Authorization": f"Bearer {TOKEN}", "X-Agent": "anna"}
        # Nobody is waited for at the end: no connection stays open behind its answer.
        kept = httpx.Limits(max_keepalive_connections=0)
        async with (
            httpx.AsyncClient(base_url=f"http://{listen}", headers=headers, timeout=10, limits=kept) as client,
            http(told)(service),
        ):
            yield client

    return serving

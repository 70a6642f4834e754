import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest
import pytest_asyncio

from deskstream.contracts import Answered, Command, Event
from deskstream.contracts.chain_facts import PartFacts
from deskstream.contracts.conversation import (
    AgentReplied,
    ConversationArchived,
    ConversationOpened,
    ConversationResolved,
    CustomerReplied,
    PriorityChanged,
    PutOnHold,
    SuspicionReviewed,
)
from deskstream.contracts.envelope import Stamp, encode, event_type
from deskstream.contracts.facts import (
    AccountFacts,
    AccountStage,
    ContactFacts,
    ConversationFacts,
    Kind,
    Priority,
    ReceivedMessage,
    Reply,
    Resolution,
    Stage,
    WorkspaceFacts,
)
from deskstream.contracts.ids import TeamId
from deskstream.contracts.inbound import Identity
from deskstream.contracts.parts import PartStaffed
from deskstream.contracts.routing import OwnerChosen, RuleFacts, SaveAgent
from deskstream.messaging.batch import Batch
from deskstream.messaging.failpoints import FailPoints
from deskstream.messaging.item import Item, Source
from deskstream.messaging.wiring import Wiring
from deskstream.routing.app import SERVICE, build
from deskstream.routing.config import Settings
from deskstream.routing.domain import (
    NOTHING,
    Asked,
    Floor,
    Policy,
    Restaffed,
    Team,
    Told,
    Woken,
    concerns,
    decide,
    due,
    evolve,
)
from deskstream.routing.matching import CompiledRules

IDS = UUID("0c9a8c0e-2a3b-4f9e-9a53-3f5f2f6d7a11")
MONDAY = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
POLICY = Policy(
    team=TeamId("support"),
    capacity=10,
    weights={Stage.NEW: 1, Stage.NEEDS_RESPONSE: 1},
    tiers={"enterprise": Priority.HIGH, "free": Priority.LOW},
)


def id_of(name):
    return uuid5(IDS, str(name))


def with_people(facts):
    """A table writes `account={...}`: a customer called Acme, but for what it says."""
    if (account := facts.get("account")) is not None:
        acme = {"id": id_of("acme"), "name": "Acme", "stage": AccountStage.CUSTOMER}
        facts = facts | {"account": AccountFacts(**acme | account)}
    if (workspace := facts.get("workspace")) is not None:
        facts = facts | {"workspace": WorkspaceFacts(**{"id": id_of("production"), "name": "production"} | workspace)}
    return facts


@dataclass
class Conversations:
    """Says what the conversation service would say, with the state after it."""

    now: datetime = MONDAY
    facts: dict[str, ConversationFacts] = field(default_factory=dict)

    def later(self, **how):
        self.now += timedelta(**how)
        return self

    def opened(self, name, *, stage=Stage.NEW, text="It does not work.", title="Help", **facts):
        message = ReceivedMessage(
            id=id_of(f"{name} message"), channel=facts.get("channel", "email"), inbox="support",
            external_id=f"<{name}@customer.example>", sender=Identity(email="kim@customer.example"),
            title=title, text=text, received_at=self.now,
        )  # fmt: skip
        valid = stage is Stage.NEW
        self.facts[name] = ConversationFacts(
            id=id_of(name), thread_id=id_of(name), number=len(self.facts) + 1, version=1, stage=stage,
            **{"channel": "email", "inbox": "support", "title": title} | with_people(facts),
            contact=ContactFacts(id=id_of("kim"), name="Kim"), created_at=self.now,
            valid_at=self.now if valid else None, oldest_unanswered_at=self.now if valid else None,
            last_public_at=self.now,
        )  # fmt: skip
        by_agent = facts.get("kind") is Kind.AGENT
        return self._said(ConversationOpened, name, None, message=None if by_agent else message)

    def customer_replied(self, name):
        stage = self.facts[name].stage
        if stage not in (Stage.NEW, Stage.SUSPENDED):
            stage = Stage.NEEDS_RESPONSE
        oldest = self.facts[name].oldest_unanswered_at or self.now
        message = ReceivedMessage(
            id=id_of("more"), channel="email", inbox="support", external_id="<more@customer.example>",
            sender=Identity(email="kim@customer.example"), text="And now?", received_at=self.now,
        )  # fmt: skip
        return self._moved(CustomerReplied, name, stage, oldest_unanswered_at=oldest, said={"message": message})

    def agent_replied(self, name, author, *, signal=False, automatic=False):
        reply = Reply(
            id=id_of(f"{name} {author}"), author=author, text="Try again.", signal=signal, automatic=automatic,
            written_at=self.now, release_at=self.now,
        )  # fmt: skip
        before = self.facts[name].stage
        answers = before in (Stage.NEW, Stage.NEEDS_RESPONSE) and not signal and not automatic
        after = Stage.WAITING_ON_USER if answers else before
        oldest = None if answers else self.facts[name].oldest_unanswered_at
        return self._moved(AgentReplied, name, after, oldest_unanswered_at=oldest, said={"reply": reply})

    def resolved(self, name):
        said = {"category": Resolution.ANSWERED}
        return self._moved(ConversationResolved, name, Stage.RESOLVED, oldest_unanswered_at=None, said=said)

    def archived(self, name):
        return self._moved(ConversationArchived, name, Stage.ARCHIVED, oldest_unanswered_at=None)

    def put_on_hold(self, name):
        return self._moved(PutOnHold, name, Stage.HOLD)

    def reviewed(self, name, verdict):
        stage = Stage.NEW if verdict == "valid" else Stage.SUSPENDED
        return self._moved(SuspicionReviewed, name, stage, valid_at=self.now, said={"verdict": verdict})

    def priority_changed(self, name, priority):
        before = self.facts[name]
        return self._moved(
            PriorityChanged, name, before.stage, priority=Priority(priority), said={"before": before.priority}
        )

    def _moved(self, kind, name, stage, *, said=None, **facts):
        before = self.facts[name]
        changes = {"stage": stage, "version": before.version + 1, **facts}
        self.facts[name] = before.model_copy(update=changes)
        return self._said(kind, name, before.stage, **said or {})

    def _said(self, kind, name, stage_before, **more):
        after = self.facts[name]
        return kind(at=self.now, conversation_id=after.id, stage_before=stage_before, after=after, **more)


@dataclass
class Desk:
    """A floor on which stories are told without a database; `log` has every assignment."""

    says: Conversations = field(default_factory=Conversations)
    floor: Floor = field(
        default_factory=lambda: Floor(POLICY, teams={TeamId("support"): Team(), TeamId("billing"): Team()})
    )
    rules: CompiledRules = field(default_factory=lambda: CompiledRules(0, ()))
    log: list[OwnerChosen] = field(default_factory=list)
    parts: dict[int, PartStaffed] = field(default_factory=dict)
    """What was last told of each part."""

    def with_rules(self, *rules):
        self.rules = CompiledRules(self.rules.version + 1, [RuleFacts(**rule) for rule in rules])
        return self

    def agent(self, agent, **fields):
        return self.ask(SaveAgent(agent=agent, name=agent.title(), **fields))

    def hear(self, said):
        self.floor = evolve(self.floor, said)
        message = Told(said, self.rules) if concerns(said) else NOTHING
        return self._take(decide(self.floor, message, self.says.now))

    def part(self, number, **facts):
        """A part is made, or is staffed anew."""
        part = {"id": id_of(f"PART-{number}"), "number": number, "version": 1, "name": f"part {number}"}
        after = PartFacts(**part | {"kind": "feature"} | facts)
        self.parts[number] = PartStaffed(part_id=after.id, at=self.says.now, after=after)
        self.floor = evolve(self.floor, self.parts[number])
        return self._take(decide(self.floor, Restaffed(), self.says.now))

    def ask(self, command, actor=None, carried=0):
        return self._take(decide(self.floor, Asked(command, actor, carried), self.says.now))

    def wake(self):
        return self._take(decide(self.floor, Woken(), self.says.now))

    def due(self):
        return due(self.floor)

    def opens(self, name, **how):
        return self.hear(self.says.opened(name, **how))

    def owner(self, name):
        return self.floor.assignments[id_of(name)].owner

    def load(self, agent):
        return self.floor.agents[agent].load

    def _take(self, said):
        for event in said:
            self.floor = evolve(self.floor, event)
        chosen = [event for event in said if isinstance(event, OwnerChosen)]
        self.log += chosen
        return chosen


@dataclass
class Replicas:
    """Routing's handlers on a real database, batch by batch, as the runner would have them."""

    pool: Any
    batch: Batch
    sequences: dict[UUID, int] = field(default_factory=dict)
    numbers: Any = field(default_factory=count)

    def heard(self, said: Event) -> Item:
        key = UUID(said.key())
        self.sequences[key] = self.sequences.get(key, 0) + 1
        stamp = Stamp(uuid4(), self.sequences[key], uuid4(), uuid4(), None, said.at)
        return Item(
            Source.STREAM, said.lane(), said.key(), stamp.sequence, event_type(said), said.subject(),
            encode(said, stamp).encode(), id=stamp.id,
        )  # fmt: skip

    def asked(self, command: Command, actor: str | None = None) -> Item:
        key = f"key {next(self.numbers)}"
        name = type(command).__name__
        return Item(
            Source.COMMAND, "commands", key, 0, name, name, b"", actor=actor, idempotency_key=key, asked=command,
            future=asyncio.get_running_loop().create_future(),
        )  # fmt: skip

    async def run(self, *items: Item) -> list[Answered]:
        async with self.pool.acquire() as connection, connection.transaction():
            done = await self.batch.run(connection, items, ())
        return [Answered.model_validate_json(answer) for _, answer in done.answers]

    async def hear(self, *said: Event) -> None:
        await self.run(*map(self.heard, said))

    async def ask(self, *commands: Command, actor: str | None = None) -> list[Answered]:
        return await self.run(*(self.asked(command, actor) for command in commands))

    async def owners(self) -> dict[int, str | None]:
        rows = await self.pool.fetch("SELECT number, owner FROM assignments ORDER BY number")
        return {row["number"]: row["owner"] for row in rows}

    async def said(self, kind: str) -> list[dict[str, Any]]:
        rows = await self.pool.fetch(
            "SELECT body FROM journal WHERE type = $1 ORDER BY id", f"deskstream.routing.{kind}"
        )
        return [json.loads(row["body"])["data"] for row in rows]


@pytest_asyncio.fixture
async def replicas(pool_for):
    service = build(Settings())
    wiring = Wiring(SERVICE.name, tuple(service.hears), tuple(service.answers))
    return Replicas(await pool_for("routing"), Batch(wiring, FailPoints("routing")))


@pytest.fixture
def new_desk():
    return Desk


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def says():
    return Conversations()


@pytest.fixture
def id_named():
    return id_of

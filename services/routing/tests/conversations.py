"""What the conversation service would say to routing, story by story."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

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
from deskstream.contracts.inbound import Identity

IDS = UUID("0c9a8c0e-2a3b-4f9e-9a53-3f5f2f6d7a11")
MONDAY = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


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

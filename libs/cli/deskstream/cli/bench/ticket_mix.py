"""What a desk of tickets is asked: who wrote, which parts and issues there are, and a mix of commands about tickets."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Final

from deskstream.cli.bench.pipeline import ready
from deskstream.cli.bench.running import Bench, furnish
from deskstream.contracts import Command
from deskstream.contracts.chain_facts import PartKind, Severity
from deskstream.contracts.facts import ConversationFacts
from deskstream.contracts.ids import IssueId, PartId, TicketId
from deskstream.contracts.issues import FileIssue
from deskstream.contracts.linked import ConversationRef
from deskstream.contracts.part_commands import SavePart
from deskstream.contracts.ticket_commands import (
    AddTicketTask,
    ChangeTicket,
    LinkIssue,
    OpenTicket,
    RecordAnswer,
    RecordCustomer,
)
from deskstream.messaging import commands

MAILS: Final = 2500
"""Of which a fifth begin a conversation."""
PRODUCTS: Final = 10
FEATURES: Final = 3
"""Of each product; its capability stands between."""
ISSUES: Final = 200
FROM_INSIDE: Final = 0.2
"""So many tickets have no conversation and no customer."""

_CONVERSATIONS: Final = "SELECT state::jsonb -> 'facts' FROM conversation.conversations ORDER BY number"


@dataclass
class Desk:
    """What there is to ask about; grows while it is asked."""

    bench: Bench
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    conversations: list[ConversationFacts] = field(default_factory=list)
    parts: list[PartId] = field(default_factory=list)
    issues: list[IssueId] = field(default_factory=list)
    tickets: list[TicketId] = field(default_factory=list)
    answered: int = 0

    async def ask(self, command: Command) -> dict[str, Any]:
        """The result. Raises RuntimeError when it is refused: a bench that measures refusals measures nothing."""
        answer = await commands.call(self.bench.client, command, within=30.0)
        if not answer.ok:
            raise RuntimeError(f"{command!r} was refused: {answer.error}")
        self.answered += 1
        return answer.result

    async def furnish(self) -> None:
        """Accounts, customers who wrote, parts in a tree, and issues on them."""
        await furnish(self.bench)
        await self._hear()
        for number in range(PRODUCTS):
            product = await self._part(f"Product {number}", PartKind.PRODUCT)
            capability = await self._part(f"Capability {number}", PartKind.CAPABILITY, product)
            for feature in range(FEATURES):
                await self._part(f"Feature {number}.{feature}", PartKind.FEATURE, capability)
        for number in range(ISSUES):
            filed = await self.ask(FileIssue(title=f"Export {number} stops", part_id=self.chance.choice(self.parts)))
            self.issues.append(IssueId(filed["issue"]["id"]))

    async def work(self) -> None:
        """One command of the mix: 40 % open a ticket, the others go on with one."""
        place = self.chance.random()
        if place < 0.4 or not self.tickets:
            opened = await self.ask(self._opening())
            self.tickets.append(TicketId(opened["ticket"]["id"]))
            return
        await self.ask(self._going_on(place, self.chance.choice(self.tickets)))

    async def _hear(self) -> None:
        """Mails, on the way that all take."""
        generator, view = await ready(self.bench)
        for _ in range(MAILS):
            await generator.send()
        await view.until(generator.sent, 120)
        rows = await self.bench.database.fetch(_CONVERSATIONS)
        self.conversations = [ConversationFacts.model_validate_json(facts) for (facts,) in rows]

    async def _part(self, name: str, kind: PartKind, parent: PartId | None = None) -> PartId:
        saved = await self.ask(SavePart(name=name, kind=kind, parent=parent))
        self.parts.append(PartId(saved["part"]["id"]))
        return self.parts[-1]

    def _opening(self) -> OpenTicket:
        wanted = OpenTicket(
            title="Export of the monthly report stops",
            text="At 40 % it shows an empty page, in two browsers.",
            part_id=self.chance.choice(self.parts),
            severity=self.chance.choice(list(Severity)),
        )
        if self.chance.random() < FROM_INSIDE:
            return wanted
        wrote = self.chance.choice(self.conversations)
        named = ConversationRef(id=wrote.id, number=wrote.number, channel=wrote.channel)
        return wanted.model_copy(
            update={"conversation": named, "requester": wrote.contact, "account": wrote.account}
        )  # fmt: skip

    def _going_on(self, place: float, ticket: TicketId) -> Command:
        if place < 0.55:
            return ChangeTicket(ticket_id=ticket, severity=self.chance.choice(list(Severity)))
        if place < 0.70:
            return AddTicketTask(ticket_id=ticket, title="Update the article")
        if place < 0.80:
            return LinkIssue(ticket_id=ticket, issue_id=self.chance.choice(self.issues))
        if place < 0.90:
            return RecordAnswer(ticket_id=ticket, asks="information")
        return RecordCustomer(ticket_id=ticket)

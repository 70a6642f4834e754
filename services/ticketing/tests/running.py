"""Ticketing as it runs, on a real broker and database."""

from uuid import uuid4

from deskstream.contracts import issues as of_issues
from deskstream.contracts import part_commands as of_parts
from deskstream.contracts import ticket_commands as asked
from deskstream.messaging import Declaration, Service
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import MIGRATIONS, NoSettings
from services.ticketing.tests.given import ACME, ADA, conversation

# The writer of what ticketing hears beside itself.
OTHERS = Declaration(
    name="others",
    settings=NoSettings,
    build=lambda settings: Service(hears=()),
    migrations=MIGRATIONS,
    says=("events.ticket_talk",),
)


class Around:
    """A running ticketing service, asked over NATS."""

    def __init__(self, service):
        self.service = service
        self.pool = service.pool

    async def ask(self, command, actor="anna"):
        answer = await self.service.call(command, actor=actor, idempotency_key=str(uuid4()))
        assert answer.ok, answer.error
        return answer.result

    async def refused(self, command, actor="anna"):
        answer = await self.service.call(command, actor=actor)
        assert not answer.ok
        return answer.error.code

    async def open(self, **more):
        wanted = {"title": "It crashes", "requester": ADA, "account": ACME, "conversation": conversation()} | more
        return (await self.ask(asked.OpenTicket(**wanted)))["ticket"]

    async def file(self, *tickets, **more):
        filed = of_issues.FileIssue(**{"title": "Null pointer", "tickets": [one["id"] for one in tickets]} | more)
        return (await self.ask(filed))["issue"]

    async def part(self, name, kind, **more):
        return (await self.ask(of_parts.SavePart(name=name, kind=kind, **more)))["part"]

    async def has_said(self, event):
        said = "SELECT count(*) FROM journal WHERE subject LIKE $1"
        return await self.pool.fetchval(said, f"events.ticketing.{event}.%")

    async def ticket(self, one, holds):
        async def found():
            facts = (await self.ask(asked.FindTicket(ticket_id=one["id"])))["ticket"]
            assert holds(facts), facts
            return facts

        return await eventually(found)

    async def issue(self, one, holds):
        async def found():
            facts = (await self.ask(of_issues.FindIssue(issue_id=one["id"])))["issue"]
            assert holds(facts), facts
            return facts

        return await eventually(found)

"""P4 with tickets: the database of a desk that has some is put back a moment, and no number is given twice."""

import asyncpg
import pytest

from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.linked import ConversationRef
from deskstream.testkit.eventually import eventually
from tests.faults.test_rebuild_story import (
    _settings,  # noqa: F401 - a fixture
    copied,
    everybody_is_ready,
    mail,
    nothing_is_left,
    reconcile,
    running,
    send,
    shown,
)

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

TWICE = """
SELECT number
FROM (
    SELECT DISTINCT lane, key, (body::json #>> '{data,after,number}')::bigint AS number
    FROM ticketing.journal
    WHERE type IN ('deskstream.ticketing.ticket_opened', 'deskstream.issues.issue_filed')
) named
GROUP BY lane, number
HAVING count(*) > 1
"""


class Asking:
    """Commands to ticketing, as whoever works at the desk gives them."""

    def __init__(self, services, records):
        self.ticketing, self.records = services["ticketing"], records

    async def __call__(self, command):
        answer = await self.ticketing.call(command, actor="anna")
        assert answer.ok, answer.error
        return answer.result

    async def open(self, title, **more):
        return (await self(asked.OpenTicket(title=title, **more)))["ticket"]

    async def file(self, title, *tickets, **more):
        filed = of_issues.FileIssue(title=title, tickets=[one["id"] for one in tickets], **more)
        return (await self(filed))["issue"]

    async def ticket(self, one, **holds):
        async def found():
            facts = (await self(asked.FindTicket(ticket_id=one["id"])))["ticket"]
            assert {name: facts[name] for name in holds} == holds
            return facts

        return await eventually(found, within=30)

    async def weighs(self, issue, tickets):
        async def found():
            facts = (await self(of_issues.FindIssue(issue_id=issue["id"])))["issue"]
            assert facts["weight"]["tickets"] == tickets
            return facts

        return await eventually(found, within=30)

    async def conversation(self):
        row = await self.records.fetchrow("SELECT id, number FROM conversation.conversations")
        return ConversationRef(id=row["id"], number=row["number"], channel="email")

    async def settled(self):
        async def nothing_is_under_way():
            owed = "SELECT (SELECT count(*) FROM ticketing.unpublished) + (SELECT count(*) FROM ticketing.waiting)"
            assert await self.records.fetchval(owed) == 0
            seen = await self.records.fetchval("SELECT count(*) FROM gateway.tickets")
            said = "SELECT count(DISTINCT key) FROM ticketing.journal WHERE type = 'deskstream.ticketing.ticket_opened'"
            assert seen == await self.records.fetchval(said)
            return True

        await eventually(nothing_is_under_way, within=30)


async def nothing_waits(records):
    await nothing_is_left(records)
    return True


async def test_p4_an_older_database_of_a_desk_with_tickets_gives_no_number_twice(database, nats_url, postgres_server):
    records = await asyncpg.connect(database)
    async with running(database, nats_url) as services:
        await send(nats_url, mail("ada"))
        await eventually(shown(records, ["ada"]), within=30)
        desk = Asking(services, records)
        kept = await desk.open("kept", conversation=await desk.conversation())
        issue = await desk.file("kept", kept, wait=True)
        await desk.ticket(kept, stage="on_hold")
        await desk.settled()
    await records.close()
    async with copied(database, postgres_server) as older:
        records = await asyncpg.connect(database)
        async with running(database, nats_url) as services:
            desk = Asking(services, records)
            await desk(asked.ChangeTicket(ticket_id=kept["id"], severity="high"))
            lost = await desk.open("lost", conversation=await desk.conversation(), issue_id=issue["id"])
            lost_issue = await desk.file("lost", kept, lost)
            await desk.weighs(issue, 2)
            await desk.weighs(lost_issue, 2)
            await desk.settled()
        await records.close()
        records = await asyncpg.connect(older)
        async with running(older, nats_url) as services:
            code, told = await reconcile(older, nats_url, "--apply")
            assert code == 0, told
            forgotten = {one["key"] for lane in told["lanes"] for one in lane["missing_in_journal"]["first"]}
            assert forgotten >= {lost["id"], lost_issue["id"]}
            desk = Asking(services, records)
            await eventually(lambda: everybody_is_ready(services), within=30)
            new, new_issue = await desk.open("new", issue_id=issue["id"]), await desk.file("new", kept)
            assert new["number"] > lost["number"]
            assert new_issue["number"] > lost_issue["number"]
            # With the lost one: who joined is heard again.
            await desk.weighs(issue, 3)
            found = await desk.ticket(kept, severity="high", stage="on_hold")
            assert [one["id"] for one in found["issues"]] == [one["id"] for one in (issue, lost_issue, new_issue)]
            # Nobody hears again the commands that made these: they come back with whatever comes next.
            changed = (await desk(asked.ChangeTicket(ticket_id=lost["id"], severity="low")))["ticket"]
            assert (changed["number"], changed["title"], changed["severity"]) == (lost["number"], "lost", "low")
            assert [one["id"] for one in changed["issues"]] == [issue["id"], lost_issue["id"]]
            accepted = (await desk(of_issues.AcceptIssue(issue_id=lost_issue["id"])))["issue"]
            assert (accepted["number"], accepted["title"], accepted["stage"]) == (
                lost_issue["number"],
                "lost",
                "backlog",
            )
            await desk.weighs(lost_issue, 2)
            await desk.settled()
            await eventually(lambda: nothing_waits(records), within=30)
            assert not await records.fetch(TWICE)
        await records.close()

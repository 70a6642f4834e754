"""P17: two desks write each other by real mail, and both remind whom they wait for; neither does so without end."""

from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import nats
import pytest
from nats.aio.client import Client

from deskstream.contracts.conversation import FindConversation, SendReply, StartConversation
from deskstream.contracts.conversation_tickets import PrefillTicket
from deskstream.contracts.inbound import Identity
from deskstream.contracts.ticket_commands import OpenTicket
from deskstream.messaging import commands
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.runtime.schemas import installed_services
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from tests.scenarios.conftest import free_port, quiet

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SERVICES = [service for name, service in installed_services().items() if name != "gateway"]
SOON = {"FIRST_FOLLOW_UP": 0.5, "SECOND_FOLLOW_UP": 1.0, "GIVE_UP": 1.5, "CLOSE": 0.3}
AN_HOUR = 10
MANY, SOME = 7, 3
REMINDERS = 2
"""Of each ticket in a conversation."""

AUTOMATIC = """
SELECT key
FROM ingest.journal
WHERE type LIKE '%.message_received' AND body::json -> 'data' -> 'message' -> 'automatic' ->> 'kind' IS NOT NULL
"""
UNDER_WAY = "SELECT count(*) FROM channel_email.sends WHERE state NOT IN ('sent', 'failed')"
KEPT_BACK = "SELECT count(*) FROM channel_email.sends WHERE state = 'failed' AND reason LIKE '%may be a loop'"
UNCLOSED = "SELECT count(*) FROM ticketing.tickets WHERE stage <> 'closed'"
ANSWERED = "SELECT count(*) FROM ticketing.journal WHERE type LIKE '%.customer_wrote'"


@dataclass
class Side:
    """One of the two desks, as its operator sees it."""

    name: str
    broker: Client
    records: "asyncpg.Connection[asyncpg.Record]"

    async def ask(self, command):
        answer = await commands.call(self.broker, command, actor="anna", within=20)
        assert answer.ok, answer.error
        return answer.result

    async def begin(self, other, title):
        contact = Identity(email=address(other.name))
        return (await self.ask(StartConversation(contact=contact, title=title, text="Are you there?")))["conversation"]

    async def conversation(self, number, holds):
        async def found():
            shown = (await self.ask(FindConversation(number=number)))["conversation"]
            assert holds(shown), shown["stage"]
            return shown

        return await eventually(found, within=40, what=f"CONV-{number} of {self.name}")

    async def wait_for_an_answer(self, number, tickets):
        """So many tickets ask in this conversation whether they are solved."""
        shown = await self.conversation(number, bool)
        prefill = (await self.ask(PrefillTicket(conversation_id=shown["id"])))["prefill"]
        opened = [(await self.ask(OpenTicket(**prefill)))["ticket"] for _ in range(tickets)]
        shown = await self.conversation(number, lambda it: len(it["tickets"]) == tickets)
        speaks = [{"ticket_id": one["id"], "asks": "confirmation"} for one in opened]
        reply = SendReply(
            conversation_id=shown["id"], text="Does it work now?", last_seen=shown["version"], speaks_for=speaks
        )
        await self.ask(reply)

    async def automatic_mails(self):
        """Those that came in, by conversation."""
        return Counter(row["key"] for row in await self.records.fetch(AUTOMATIC))

    async def over(self):
        """Once every ticket was given up and nothing moves any more."""

        async def look():
            left = [await self.records.fetchval(query) for query in (UNCLOSED, UNDER_WAY)]
            assert left == [0, 0], left
            return True

        await eventually(look, within=60, what=f"silence at {self.name}")
        await quiet(self.records, SERVICES)


def address(name):
    return f"support@{name}.example"


@asynccontextmanager
async def side(name, database, nats_url, monkeypatch, *, port, relay):
    """A desk of its own: database, broker, secret, and the other's mail server as its relay."""
    told = {
        "THREAD_SECRET": f"thread-secret-of-the-desk-{name}",
        "EMAIL_INBOXES": f"{address(name)}=support",
        "EMAIL_LISTEN": f"127.0.0.1:{port}",
        "EMAIL_RELAY": f"smtp://127.0.0.1:{relay}",
        "CONVERSATION_UNDO_SECONDS": "0",
        "TICKETING_HOURS": "24x7",
        **{f"TICKETING_{step}_HOURS": str(seconds / 3600) for step, seconds in SOON.items()},
    }
    for variable, value in told.items():
        monkeypatch.setenv(f"DESKSTREAM_{variable}", value)
    async with desk(SERVICES, database, nats_url):
        broker, records = await nats.connect(nats_url), await asyncpg.connect(database)
        yield Side(name, broker, records)
        await broker.close()
        await records.close()


@pytest.fixture
def second_broker(tmp_path):
    server = EmbeddedNats(Home(tmp_path, user=None))
    yield server.start()
    server.stop()


async def test_p17_two_desks_that_remind_each_other_fall_silent(
    database, databases, nats_url, second_broker, monkeypatch
):
    ports = [free_port(), free_port()]
    async with (
        databases.lend() as other,
        side("north", database, nats_url, monkeypatch, port=ports[0], relay=ports[1]) as north,
        side("south", other, second_broker, monkeypatch, port=ports[1], relay=ports[0]) as south,
    ):
        silent = await north.begin(south, "Nobody answers")
        await south.conversation(1, bool)
        answered = await north.begin(south, "Somebody answers")
        await south.wait_for_an_answer(2, SOME)
        await north.conversation(answered["number"], lambda it: it["stage"] == "needs_response")
        await north.wait_for_an_answer(silent["number"], MANY)
        for one in (north, south):
            await one.over()
        # A reminder answers nothing, also where somebody wrote before; but more than ten an hour stay back.
        assert list((await south.automatic_mails()).values()) == [AN_HOUR]
        assert await north.automatic_mails() == {answered["id"]: SOME * REMINDERS}
        assert await north.records.fetchval(KEPT_BACK) == MANY * REMINDERS - AN_HOUR
        assert await south.records.fetchval(KEPT_BACK) == 0
        for one in (north, south):
            assert await one.records.fetchval(ANSWERED) == 0
            assert await one.records.fetchval("SELECT count(*) FROM conversation.conversations") == 2

"""The CRM as it really runs: on a broker, behind an ingest that says what it is told to."""

import asyncio
from dataclasses import dataclass
from importlib.resources import files

import asyncpg
import pytest
import pytest_asyncio
from pydantic_settings import BaseSettings

from deskstream.contracts import crm as said_by_crm
from deskstream.contracts import ingest
from deskstream.contracts.crm import FindAccount, SaveAccount, SaveContact, SenderIdentified
from deskstream.contracts.envelope import decode
from deskstream.crm.app import SERVICE
from deskstream.messaging import Aggregate, Answer, Declaration, Service
from deskstream.messaging.connection import client_of
from deskstream.messaging.reconcile import mending
from deskstream.messaging.reconcile.lists import compared
from deskstream.messaging.reconcile.stored import state_of
from deskstream.messaging.topology import stream_of
from deskstream.runtime.launch import running
from deskstream.runtime.settings import RuntimeSettings
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually


@dataclass(frozen=True)
class Say:
    event: ingest.MessageReceived


async def load_nothing(tx, keys):
    return dict.fromkeys(keys)


async def save_nothing(tx, states):
    return None


SAYING = Aggregate(
    "saying", load_nothing, save_nothing, lambda state, asked, now: [asked.event], lambda state, said: state
)
INGEST = Declaration(
    name="ingest",
    settings=BaseSettings,
    build=lambda settings: Service(hears=(), answers=[Answer(Say, SAYING, key=lambda asked: asked.event.thread_id)]),
    migrations=files("deskstream.testkit.sample") / "migrations",
    says=(ingest.LANE,),
)


async def receive(service, *messages):
    asks = (service.ask(Say(message), idempotency_key=str(message.message.id)) for message in messages)
    assert all(answer.ok for answer in await asyncio.gather(*asks))


async def save(service, command, key):
    """As a patient caller does: the same key again until somebody has time."""
    answer = await service.call(command, idempotency_key=key)
    while answer.error and answer.error.code == "unavailable":
        answer = await service.call(command, idempotency_key=key)
    return answer


async def refusal(service, command):
    answer = await service.call(command)
    return answer.error.code


def identified(pool, count):
    """Everything said about senders, in the order of each thread, once it is that many."""

    async def read():
        rows = await pool.fetch(
            "SELECT body FROM journal WHERE type = 'deskstream.crm.sender_identified' ORDER BY key, seq"
        )
        assert len(rows) == count
        return [decode(SenderIdentified, row["body"]).data for row in rows]

    return eventually(read, within=20)


async def test_a_message_is_said_on_with_its_sender(database, nats_url, letter):
    async with desk([INGEST, SERVICE], database, nats_url) as services:
        crm = services["crm"]
        saved = await crm.call(SaveAccount(name="Acme", domains=("acme.com",), workspaces=("Production",)))
        message = letter("zoe@acme.com", "Zoe", title="Überweisung", copied=({"email": "b@x.org"},))
        await receive(services["ingest"], message)
        [said] = await identified(crm.pool, 1)
        assert said.message == message.message
        assert (said.contact.name, said.new_contact, said.new_thread) == ("Zoe", True, True)
        assert str(said.account.id) == saved.result["id"]
        assert str(said.workspace.id) == saved.result["workspaces"][0]["id"]
        found = await crm.call(FindAccount(domain="acme.com"))
        assert found.result == saved.result
        assert await refusal(crm, FindAccount(number="ACC-9")) == "unknown_account"
        assert await refusal(crm, SaveAccount(name="Other", domains=("acme.com",))) == "domain_taken"


@pytest.mark.slow
async def test_p2_two_replicas_and_an_import_make_one_contact_of_each_sender(database, nats_url, letter):
    settings = RuntimeSettings(nats_url=nats_url, postgres_url=database)
    messages = [letter(f"s{n % 60}@x{n % 7}.org", thread=f"t{n % 90}") for n in range(600)]
    async with desk([INGEST, SERVICE], database, nats_url) as services, running([SERVICE], settings) as second:
        crm = services["crm"]
        saves = [
            save(replica, SaveContact(email=f"s{n % 60}@x{n % 7}.org", name=f"S {n}"), f"import/{n}")
            for n in range(200)
            for replica in ((crm, second["crm"])[n % 2],)
        ]
        answers, _ = await asyncio.gather(asyncio.gather(*saves), receive(services["ingest"], *messages))
        assert all(answer.ok for answer in answers)
        said = await identified(crm.pool, 600)
        senders = {message.message.sender.email for message in messages}
        assert len(senders) == await crm.pool.fetchval("SELECT count(*) FROM contacts")
        assert len({one.contact.id for one in said}) == len({one.contact.email for one in said}) == len(senders)
        assert sorted(one.message.id for one in said) == sorted(one.message.id for one in messages)
        assert await crm.pool.fetchval("SELECT count(*) FROM waiting") == 0


EVERYTHING = ("identities", "contacts", "journal", "heads", "progress", "streams_known")


@pytest_asyncio.fixture(name="forgetful")
async def forgetful_fixture(database):
    """The database of the CRM, seen from outside."""
    connection = await asyncpg.connect(database)
    await connection.execute("SET search_path = crm")
    yield connection
    await connection.close()


async def forget_everything(connection):
    for table in EVERYTHING:
        await connection.execute(f"DELETE FROM {table}")


async def take_back(connection, service):
    """What `deskstream reconcile --apply` does about its events; it is held back until then."""
    assert "`deskstream reconcile`" in await service.problem()
    client = client_of(service.broker)
    state = await state_of(client, stream_of(said_by_crm.LANE))
    assert state is not None
    async with compared(connection, client, said_by_crm.LANE, state) as comparison:
        return (await mending.take_back(comparison, client, state, lambda _: None)).events


async def nothing_is_owed(pool):
    async def check():
        return await pool.fetchval("SELECT count(*) FROM unpublished") == 0

    await eventually(check)


async def who_is_who(pool):
    return await pool.fetch("SELECT identity, contact_id FROM identities")


async def test_p4_whoever_was_met_again_before_stays_one_contact(database, nats_url, forgetful, letter):
    async with desk([INGEST, SERVICE], database, nats_url) as services:
        await receive(services["ingest"], letter("zoe@acme.com", "Zoe", thread="lost"))
        [lost] = await identified(services["crm"].pool, 1)
        await nothing_is_owed(services["crm"].pool)
    await forget_everything(forgetful)
    async with desk([INGEST, SERVICE], database, nats_url) as services:
        assert await take_back(forgetful, services["crm"]) == 1
        await receive(services["ingest"], letter("zoe@acme.com", "Zoe", thread="anew"))
        await identified(services["crm"].pool, 2)
        await nothing_is_owed(services["crm"].pool)
    await mending.hear_again(forgetful, ingest.LANE)
    async with desk([INGEST, SERVICE], database, nats_url) as services:
        pool = services["crm"].pool

        async def heard_again():
            assert await pool.fetchval("SELECT count(*) FROM waiting") == 0
            return await pool.fetchval("SELECT count(*) = 2 FROM progress")

        await eventually(heard_again, within=20)
        [(identity, contact)] = await who_is_who(pool)
        assert identity == "mailto:zoe@acme.com"
        assert contact != lost.contact.id
        await receive(services["ingest"], letter("zoe@acme.com", "Zoe", thread="lost"))
        said = await identified(pool, 3)
        assert {one.contact.id for one in said} == {contact, lost.contact.id}


async def test_p4_whoever_was_not_met_again_is_known_by_what_was_said(database, nats_url, forgetful, letter):
    async with desk([INGEST, SERVICE], database, nats_url) as services:
        await receive(services["ingest"], letter("zoe@acme.com", "Zoe", thread="lost"))
        [lost] = await identified(services["crm"].pool, 1)
        await nothing_is_owed(services["crm"].pool)
    await forget_everything(forgetful)
    await mending.hear_again(forgetful, ingest.LANE)
    async with desk([INGEST, SERVICE], database, nats_url) as services:
        pool = services["crm"].pool
        assert await take_back(forgetful, services["crm"]) == 1
        await eventually(lambda: pool.fetchval("SELECT count(*) = 1 FROM identities"), within=20)
        assert [tuple(row) for row in await who_is_who(pool)] == [("mailto:zoe@acme.com", lost.contact.id)]
        await identified(pool, 1)

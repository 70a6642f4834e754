"""P18: a service of this version reads what the version before said, and what the next one will say."""

import json
from uuid import uuid4

import httpx
import nats
import pytest
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from deskstream.contracts.catalogue import events
from deskstream.contracts.envelope import HEADER_ID, HEADER_SEQUENCE, HEADER_TYPE, decode
from deskstream.messaging import Declaration, Service
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.runtime.schemas import installed_services
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import MIGRATIONS, NoSettings
from tests.architecture.repository import ROOT
from tests.scenarios.conftest import TOKEN, quiet

pytestmark = pytest.mark.slow

BEFORE = ROOT / "tests/scenarios/recorded/before_tickets.jsonl"
"""Said by the release that knew no tickets, byte for byte."""
GATEWAY = installed_services()["gateway"]
LANES = tuple(GATEWAY.hears)
# The test itself plays the publishers of these.
WRITERS = Declaration(
    name="writers", settings=NoSettings, build=lambda settings: Service(hears=()), migrations=MIGRATIONS, says=LANES
)
SAID = "SELECT subject, body FROM {service}.journal WHERE lane = ANY($1) ORDER BY id"
PAGES = ("/api/conversations/CONV-1", "/api/tickets", "/api/tickets/board")
"""What the gateway shows of its own views alone."""


@pytest.fixture
def second_broker(tmp_path):
    server = EmbeddedNats(Home(tmp_path, user=None))
    yield server.start()
    server.stop()


def of_next_version(event):
    """The same event, each object in it with a field that nobody here knows; free tables stay as they are."""
    kind = events()[event["type"]]
    said = decode(kind, json.dumps(event)).data
    return event | {"added": 1, "data": grown(said)}


def grown(value):
    match value:
        case BaseModel():
            known = {name: grown(getattr(value, name)) for name in value.model_fields_set}
            return known | {"added_by_the_next": {"deep": [1]}}
        case list() | tuple():
            return [grown(one) for one in value]
        case _:
            return to_jsonable_python(value)


def unknown(event):
    """What the next version says beside it: its type is known to nobody here."""
    return event | {"id": str(uuid4()), "type": "deskstream.next.celebrated", "data": {"cake": True}}


async def publish(client, subject, event):
    headers = {HEADER_ID: event["id"], HEADER_TYPE: event["type"], HEADER_SEQUENCE: str(event["sequence"])}
    await client.jetstream().publish(subject, json.dumps(event).encode(), headers=headers)


async def tell(url, told):
    """Publishes (subject, event) in order, and one event more of an unknown type behind all of each key."""
    client = await nats.connect(url)
    last = {}
    for subject, event in told:
        await publish(client, subject, event)
        last[".".join(subject.split(".")[:2]), event["subject"]] = event
    for (lane, key), event in last.items():
        after = unknown(event) | {"sequence": str(int(event["sequence"]) + 1)}
        await publish(client, f"{lane}.celebrated.{key}", after)
    await client.close()
    return len(told) + len(last)


async def all_is_heard(gateway, count):
    async def heard():
        read = await gateway.pool.fetchval("SELECT sum(seq) FROM progress")
        assert (read, await gateway.pool.fetchval("SELECT count(*) FROM waiting")) == (count, 0)
        return True

    await eventually(heard, within=20, what="everything heard, and nothing waiting")


def api(environment):
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{environment['http']}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10
    )


async def test_p18_what_the_release_before_said_is_read(environment, database, nats_url):
    told = [json.loads(line) for line in BEFORE.read_text().splitlines()]
    async with desk([GATEWAY, WRITERS], database, nats_url) as services, api(environment) as client:
        count = await tell(nats_url, [(one["subject"], one["event"]) for one in told])
        await all_is_heard(services["gateway"], count)
        conversation, *_ = await shown(client)
    assert (conversation["stage"], conversation["owner"], conversation["tickets"]) == ("new", "anna", [])
    texts = [entry["message"]["text"] for entry in conversation["timeline"] if entry["kind"] == "message"]
    assert texts == ["Where is my order?", "And another thing"]


async def test_p18_what_the_next_version_says_shows_the_same(open_desk, environment, databases, second_broker):
    async with open_desk() as now:
        before, told = await a_story(now)
    told = [(row["subject"], of_next_version(json.loads(row["body"]))) for row in told]
    async with (
        databases.lend() as other,
        desk([GATEWAY, WRITERS], other, second_broker) as services,
        api(environment) as client,
    ):
        count = await tell(second_broker, told)
        await all_is_heard(services["gateway"], count)
        assert await shown(client) == before


async def shown(client):
    """The pages; between lanes no order is promised, nor where in the feed something stands."""
    conversation, *others = [(await client.get(page)).json() for page in PAGES]
    entries = [{**entry, "id": None} for entry in conversation["timeline"]]
    timeline = sorted(entries, key=lambda entry: (entry["service"], entry["sequence"]))
    return [conversation | {"timeline": timeline}, *others]


async def a_story(now):
    """What is shown at its end, and all that the gateway heard, each lane in order."""
    await now.broker.jetstream().publish("inbound.email.support", MAIL)
    await now.when("CONV-1", lambda it: it["clocks"], "a clock")
    opened = await now.post("/api/conversations/CONV-1/tickets", "anna", title="It stops")
    assert opened.is_success, opened.text
    filed = await now.post("/api/issues", "anna", title="Overflow", tickets=[opened.json()["ticket"]["id"]], wait=True)
    assert filed.is_success, filed.text
    await now.when("CONV-1", lambda it: it["tickets"] and it["tickets"][0]["stage"] == "on_hold", "its ticket")
    await quiet(now.records)
    pages = await shown(now.api)
    told = []
    for service in installed_services():
        told += await now.records.fetch(SAID.format(service=service), LANES)
    return pages, told


MAIL = json.dumps(
    {"external_id": "1", "sender": {"email": "ada@acme.example"}, "title": "It stops", "text": "At 40 %."}
).encode()

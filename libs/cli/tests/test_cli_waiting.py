import asyncio
import time

from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats


async def test_a_broker_that_starts_later_is_waited_for(deskstream, tmp_path):
    broker = EmbeddedNats(Home(tmp_path / "nats", user=None))
    (tmp_path / "nats").mkdir()
    deskstream.environment["DESKSTREAM_NATS_URL"] = await asyncio.to_thread(broker.start)
    await asyncio.to_thread(broker.stop)
    provisioning = asyncio.create_task(deskstream("provision", "--wait", "30", "--json"))
    try:
        await asyncio.to_thread(broker.start)
        said = await provisioning
    finally:
        await asyncio.to_thread(broker.stop)
    assert said.code == 0
    assert {change["how"] for change in said.json["provisioned"]} == {"created"}


async def test_a_broker_whose_streams_come_later_is_waited_for(nowhere, tmp_path):
    home = Home(tmp_path / "nats", user=None)
    home.folder.mkdir()
    without, whole = EmbeddedNats(home, access={"jetstream": False}), EmbeddedNats(home)
    nowhere.environment["DESKSTREAM_NATS_URL"] = await asyncio.to_thread(without.start)
    try:
        said = await nowhere("provision", "--json")
        assert said.code == 1
        assert "NATS answers, its JetStream does not" in said.json["error"]
        provisioning = asyncio.create_task(nowhere("provision", "--wait", "30", "--json"))
        await asyncio.to_thread(without.stop)
        await asyncio.to_thread(whole.start)
        said = await provisioning
    finally:
        await asyncio.to_thread(whole.stop)
    assert said.code == 0
    assert {change["how"] for change in said.json["provisioned"]} == {"created"}


def test_waiting_ends_with_the_usual_word(nowhere):
    nowhere.environment["DESKSTREAM_POSTGRES_URL"] = "postgresql://desk@127.0.0.1:1/desk"
    started = time.monotonic()
    said = nowhere.now("migrate", "--wait", "1.5")
    assert said.code == 1
    assert "PostgreSQL does not answer at postgresql://desk@127.0.0.1:1/desk" in said.err
    assert time.monotonic() - started >= 1.0


def test_waiting_backwards_is_misuse(nowhere):
    assert nowhere.now("provision", "--wait", "-1").code == 2

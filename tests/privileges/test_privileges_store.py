"""O7: streams that were made before the broker had accounts are the desk's."""

import nats
import pytest

from deskstream.messaging.permissions import OPERATOR, inbox_prefix
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.runtime.privileges.credentials import Credentials
from deskstream.runtime.privileges.guard import Guard


@pytest.mark.parametrize("first", ["open", "guarded"])
async def test_streams_and_places_in_them_stay_when_a_broker_is_guarded_or_opened(tmp_path, first):
    (tmp_path / "data").mkdir()
    home, access = Home(tmp_path / "data", user=None), Guard(tmp_path / "credentials", []).access()
    seed = str(Credentials(tmp_path / "credentials").seed_file(OPERATOR))
    prefix = inbox_prefix(OPERATOR)
    guarded, kept = first == "guarded", []
    for now_guarded in (guarded, not guarded):
        server = EmbeddedNats(home, access=access if now_guarded else None)
        client = await nats.connect(server.start(), nkeys_seed=seed if now_guarded else None, inbox_prefix=prefix)
        try:
            if now_guarded is guarded:
                await client.jsm().add_stream(name="EVENTS_CRM", subjects=["events.crm.>"])
                await client.jsm().add_consumer("EVENTS_CRM", durable_name="sla")
                await client.jetstream().publish("events.crm.contact_created.k", b"kept")
            reader = await client.jetstream().pull_subscribe_bind(durable="sla", stream="EVENTS_CRM")
            if now_guarded is not guarded:
                kept = [message.data for message in await reader.fetch(1, timeout=5)]
        finally:
            await client.close()
            server.stop()
    assert kept == [b"kept"]

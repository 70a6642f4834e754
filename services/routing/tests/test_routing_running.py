from importlib.resources import files
from uuid import uuid4

import nats
import pytest
from pydantic_settings import BaseSettings

from deskstream.contracts import conversation, parts
from deskstream.contracts.envelope import HEADER_ID, HEADER_SEQUENCE, HEADER_TYPE, Stamp, encode, event_type
from deskstream.contracts.routing import Explain, ListAgents, NextUp, SaveAgent, SaveRule
from deskstream.messaging import Declaration, Service
from deskstream.routing.app import SERVICE
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import MIGRATIONS

SPEAKER = Declaration(
    name="conversation",
    settings=BaseSettings,
    build=lambda settings: Service(()),
    migrations=files("deskstream.routing") / "migrations",
    says=(conversation.LANE,),
)


# The writer of what routing hears of parts.
WORKSHOP = Declaration(
    name="workshop",
    settings=BaseSettings,
    build=lambda settings: Service(()),
    migrations=MIGRATIONS,
    says=(parts.LANE,),
)


async def publish(client, said, sequence):
    stamp = Stamp(uuid4(), sequence, uuid4(), uuid4(), None, said.at)
    headers = {HEADER_ID: str(stamp.id), HEADER_TYPE: event_type(said), HEADER_SEQUENCE: str(sequence)}
    await client.jetstream().publish(said.subject(), encode(said, stamp).encode(), headers=headers)


@pytest.mark.slow
async def test_it_runs(database, nats_url, says):
    async with desk([SPEAKER, WORKSHOP, SERVICE], database, nats_url) as services:
        routing = services["routing"]
        assert (await routing.call(SaveAgent(agent="anna", capacity=1))).result["load"] == 0
        assert await refusal(routing, NextUp(agent="anna")) == ("nothing_waits", {"team": "support"})
        broken = SaveRule(name="x", team="support", pattern="a(")
        assert await refusal(routing, broken) == ("bad_pattern", {"position": 1})
        client = await nats.connect(nats_url)
        for number in range(3):
            await publish(client, says.later(seconds=1).opened(str(number)), 1)
        await publish(client, says.agent_replied("0", "anna"), 2)
        await client.close()
        await eventually(lambda: answered(routing, Explain(number=2), "owner", "anna"))
        await eventually(lambda: answered(routing, ListAgents(), "teams", [queue(1)]))
        assert await refusal(routing, Explain(number=77)) == ("unknown_conversation", {})


async def refusal(routing, command):
    answer = await routing.call(command)
    return answer.error.code, answer.error.details


async def answered(routing, asked, field, expected):
    answer = await routing.call(asked)
    return answer.ok and answer.result[field] == expected


def queue(waiting):
    return {"team": "support", "structure": "chaos", "planned_owners": False, "waiting": waiting}

"""P14: what the broker answers does nothing that whoever asks may not do."""

import asyncio

import pytest

from deskstream.messaging.permissions import OPERATOR
from deskstream.messaging.topology import stream_of, topology
from tests.privileges.broker_deeds import publishes
from tests.privileges.guarded import USERS, heard_out


async def state_of_all(operator):
    """Of every stream: how many messages it has, and which."""
    streams = await operator.jsm().streams_info()
    return {info.config.name: (info.state.messages, info.state.first_seq, info.state.last_seq) for info in streams}


def answers_wanted(broker, user):
    """On which subjects one would have the broker answer: deeds that change something, and are not one's own."""
    for deed in publishes(broker.declarations, broker.apart):
        if user not in deed.allowed and deed.subject.startswith(("events.", "inbound.", "outbound.", "probes.")):
            yield deed.subject
    for stream in topology(broker.declarations).streams:
        for verb in ("STREAM.DELETE", "STREAM.PURGE", "STREAM.UPDATE", "STREAM.MSG.DELETE"):
            yield from (f"{api}.{verb}.{stream.name}" for api in ("$JS.API", "DESK.API"))
    for durable in topology(broker.declarations).durables:
        yield f"$JS.API.CONSUMER.DELETE.{durable.stream}.{durable.reader}"


@pytest.mark.parametrize("user", USERS)
async def test_p14_the_broker_s_answer_does_nothing_that_one_may_not_do_oneself(broker, user):
    # An allow list does not name where one wants an answer, and it is the broker that speaks there.
    if user not in broker.apart:
        pytest.skip("it is within the account that has the streams")
    mine = [deed.subject for deed in publishes(broker.declarations, broker.apart) if user in deed.allowed]
    asking = [subject for subject in mine if subject.startswith(("DESK.", "$JS."))]
    saying = [subject for subject in mine if subject.startswith(("events.", "inbound.", "outbound."))]
    async with broker.client(OPERATOR) as operator, broker.client(user) as client:
        for subject in saying:
            await client.jetstream().publish(subject, b"{}")
        before = await state_of_all(operator)
        for answer in answers_wanted(broker, user):
            for subject in asking:
                for body in (b"", b'{"batch": 1, "no_wait": true}', b'{"seq": 1}'):
                    await client.publish(subject, body, reply=answer)
        await heard_out(client)
        await asyncio.sleep(0.2)
        assert await state_of_all(operator) == before
        for answer in answers_wanted(broker, user):
            for subject in saying[:1]:
                await client.publish(subject, b"", reply=answer)
        await heard_out(client)
        after = await state_of_all(operator)
    said = {name for name in before if after.get(name) != before[name]}
    assert said == {stream_of(subject.rpartition(".anything")[0] or subject) for subject in saying[:1]}
    assert all(after[name][1] == before[name][1] for name in said), "nothing is gone"


async def test_within_the_account_that_has_the_streams_the_broker_does_what_nobody_may(broker):
    # What those apart are kept from: the deed above is a real one.
    if "crm" in broker.apart:
        pytest.skip("nobody is there but the operator")
    async with broker.client(OPERATOR) as operator, broker.client("crm") as crm:
        await crm.jetstream().publish("events.crm.sender_identified.t1", b"{}")
        await crm.publish("$JS.API.STREAM.INFO.EVENTS_CRM", b"", reply="events.sla.anything.k")
        await heard_out(crm)
        info = await operator.jsm().get_last_msg("EVENTS_SLA", "events.sla.anything.k")
        assert b"stream_info_response" in info.data

"""P14, O7: on a broker with the generated permissions, each service does its work and nothing else."""

import nats
import pytest
from nats.errors import TimeoutError as NatsTimeoutError

from deskstream.messaging.permissions import OPERATOR
from deskstream.runtime.privileges.guard import Guard
from tests.privileges.broker_deeds import publishes, subscriptions
from tests.privileges.guarded import PAGER, USERS, heard_out


@pytest.mark.parametrize("user", USERS)
async def test_p14_a_service_publishes_asks_pulls_and_acknowledges_what_is_its_own(broker, user):
    deeds = {deed.subject: deed.allowed for deed in publishes(broker.declarations, broker.apart)}
    async with broker.client(user) as client:
        for subject in deeds:
            await client.publish(subject, b"{}")
        await heard_out(client)
        assert set(client.denied) == {subject.lower() for subject, allowed in deeds.items() if user not in allowed}
    assert len(deeds) > 1000


@pytest.mark.parametrize("user", USERS)
async def test_p14_a_service_hears_its_own_answers_and_commands(broker, user):
    deeds = {deed.subject: deed.allowed for deed in subscriptions(broker.declarations, [PAGER])}
    async with broker.client(user) as client:
        for subject in deeds:
            await client.subscribe(subject)
        await heard_out(client)
        assert set(client.denied) == {subject.lower() for subject, allowed in deeds.items() if user not in allowed}


async def test_p14_nobody_is_let_in_without_a_seed_or_with_a_stranger_s(broker, tmp_path):
    stranger = Guard(tmp_path, [], ()).access()
    assert stranger
    with pytest.raises(nats.errors.Error):
        await nats.connect(broker.url, allow_reconnect=False, connect_timeout=2)
    with pytest.raises(nats.errors.Error):
        await nats.connect(
            broker.url, nkeys_seed=str(tmp_path / f"{OPERATOR}.seed"), allow_reconnect=False, connect_timeout=2
        )


async def test_p14_a_taken_over_adapter_gets_nothing_of_another_s_and_changes_nothing(broker):
    async with broker.client("crm") as crm, broker.client(PAGER) as thief, broker.client(OPERATOR) as operator:
        await crm.jetstream().publish("events.crm.sender_identified.t1", b"secret")
        before = await operator.jsm().consumer_info("EVENTS_CRM", "conversation")
        inbox = thief.new_inbox()
        stolen = await thief.subscribe(inbox)
        for api in ("$JS.API", "DESK.API"):
            await thief.publish(f"{api}.CONSUMER.MSG.NEXT.EVENTS_CRM.conversation", b'{"batch": 1}', reply=inbox)
        for subject in ("$JS.API.STREAM.DELETE.EVENTS_CRM", "DESK.API.STREAM.PURGE.EVENTS_CRM"):
            with pytest.raises(NatsTimeoutError):
                await thief.request(subject, b"{}", timeout=0.3)
        with pytest.raises(NatsTimeoutError):
            await stolen.next_msg(timeout=0.3)
        after = await operator.jsm().consumer_info("EVENTS_CRM", "conversation")
        assert (after.delivered, after.num_pending) == (before.delivered, before.num_pending)
        assert (await operator.jsm().stream_info("EVENTS_CRM")).state.messages >= 1


async def test_n1_an_adapter_publishes_hears_without_a_durable_and_with_one(broker):
    async with broker.client("conversation") as conversation, broker.client(PAGER) as pager:
        assert (await pager.jetstream().publish("inbound.pager.oncall", b"{}")).stream == "INBOUND"
        plainly = await pager.subscribe("outbound.pager.>")
        await heard_out(pager)
        await conversation.jetstream().publish("outbound.pager.c1", b"a reply")
        assert (await plainly.next_msg(timeout=2)).data == b"a reply"
        durable = await pager.jetstream(prefix="DESK.API").pull_subscribe_bind(durable=PAGER, stream="OUTBOUND_PAGER")
        [message] = await durable.fetch(1, timeout=2)
        await message.ack_sync(timeout=2)
        assert pager.denied == []


async def test_p14_an_answer_is_given_once_and_only_to_who_asked(broker):
    async with broker.client("gateway") as gateway, broker.client("sla") as sla:
        asked = await sla.subscribe("commands.sla.explain_clocks", "sla")
        await sla.flush()
        inbox = gateway.new_inbox()
        answers = await gateway.subscribe(inbox)
        await gateway.publish("commands.sla.explain_clocks", b"{}", reply=inbox)
        question = await asked.next_msg(timeout=2)
        await sla.publish(question.reply, b"first")
        await sla.publish(question.reply, b"second")
        await heard_out(sla)
        assert (await answers.next_msg(timeout=2)).data == b"first"
        # Across accounts the broker gives the inbox another name for this one answer.
        assert len(sla.denied) == 1
        assert sla.denied[0] == inbox.lower() or sla.denied[0].startswith("_r_.")


async def test_everybody_may_ask_what_he_may(broker):
    async with broker.client("sla") as client:
        assert "events.sla.>" in (await heard_out(client))["permissions"]["publish"]["allow"]

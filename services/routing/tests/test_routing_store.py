import asyncio
import json
import random

import asyncpg
import pytest

from deskstream.contracts.facts import Priority, Stage
from deskstream.contracts.routing import (
    Claim,
    HandOver,
    NextUp,
    RemoveRule,
    SaveAgent,
    SaveRule,
    SaveTeam,
)
from deskstream.messaging.item import Item, Source


async def loads_do_not_drift(pool):
    drifted = await pool.fetch(
        """
        SELECT a.id, a.load, s.weight
        FROM agents a
        CROSS JOIN LATERAL (SELECT coalesce(sum(weight), 0) AS weight FROM assignments WHERE owner = a.id) s
        WHERE a.load <> s.weight
        """
    )
    assert drifted == []


async def test_one_batch_of_new_conversations_spreads_by_capacity(replicas, says):
    await replicas.ask(SaveAgent(agent="anna", capacity=3), SaveAgent(agent="bruno", capacity=2))
    await replicas.hear(*(says.later(seconds=1).opened(str(number)) for number in range(8)))
    owners = list((await replicas.owners()).values())
    assert owners == ["anna", "bruno", "anna", "bruno", "anna", None, None, None]
    assert len(await replicas.said("owner_chosen")) == 8
    await loads_do_not_drift(replicas.pool)


async def test_r6_what_waits_in_the_database_is_assigned_in_order_when_capacity_frees(replicas, says):
    await replicas.ask(SaveAgent(agent="anna", capacity=1))
    accounts = [{}, None, None, {"priority": "high"}, {}]
    for number, account in enumerate(accounts, start=1):
        await replicas.hear(says.later(minutes=1).opened(str(number), account=account))
    for name in ("1", "4", "5", "2"):
        await replicas.hear(says.later(minutes=1).agent_replied(name, "anna"))
    freed = [said["number"] for said in await replicas.said("owner_chosen") if said["cause"] == "capacity_freed"]
    assert freed == [4, 5, 2, 3]
    await loads_do_not_drift(replicas.pool)


async def test_events_and_commands_of_one_batch_see_each_other(replicas, says, id_named):
    await replicas.run(
        replicas.asked(SaveAgent(agent="anna", capacity=1)),
        replicas.heard(says.opened("first")),
        replicas.heard(says.opened("second")),
        replicas.heard(says.agent_replied("first", "anna")),
        replicas.heard(says.opened("third")),
        replicas.asked(SaveAgent(agent="bruno", availability="busy")),
        replicas.asked(Claim(conversation_id=id_named("third"), agent="bruno")),
        replicas.heard(says.customer_replied("first")),
    )
    assert await replicas.owners() == {1: "anna", 2: "anna", 3: "bruno"}
    assert {row["id"]: row["load"] for row in await replicas.pool.fetch("SELECT id, load FROM agents")} == {
        "anna": 2, "bruno": 1,
    }  # fmt: skip
    await loads_do_not_drift(replicas.pool)


async def test_a_customers_reply_that_changes_nothing_writes_nothing_of_ours(replicas, says):
    await replicas.hear(says.opened("case"))
    before = await replicas.pool.fetchval("SELECT xmin::text || ctid::text FROM assignments")
    async with replicas.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM desk FOR UPDATE")
        # Another replica decides just now; a reply that changes nothing does not wait for it.
        await asyncio.wait_for(replicas.hear(says.customer_replied("case")), timeout=5)
    assert await replicas.pool.fetchval("SELECT xmin::text || ctid::text FROM assignments") == before


async def test_r9_two_agents_who_ask_at_once_never_get_the_same(replicas, says):
    agents = [f"agent-{number}" for number in range(8)]
    await replicas.ask(*(SaveAgent(agent=agent, availability="busy") for agent in agents))
    await replicas.hear(*(says.later(seconds=1).opened(str(number)) for number in range(20)))
    answers = await asyncio.gather(*(replicas.ask(NextUp(agent=agent)) for agent in agents * 3))
    given = [answer.result["number"] for [answer] in answers if answer.ok]
    assert sorted(given) == list(range(1, 21))
    assert {answer.error.code for [answer] in answers if answer.error} == {"nothing_waits"}
    await loads_do_not_drift(replicas.pool)


async def test_r9_the_second_of_two_transactions_waits_and_gets_the_next(replicas, says):
    await replicas.ask(SaveAgent(agent="anna", availability="busy"), SaveAgent(agent="bruno", availability="busy"))
    await replicas.hear(says.opened("first"), says.later(seconds=1).opened("second"))
    async with replicas.pool.acquire() as connection, connection.transaction():
        first = await replicas.batch.run(connection, [replicas.asked(NextUp(agent="anna"))], ())
        second = asyncio.create_task(replicas.ask(NextUp(agent="bruno")))
        done, _ = await asyncio.wait({second}, timeout=0.3)
        assert not done
    assert json.loads(first.answers[0][1])["result"]["number"] == 1
    assert [answer.result["number"] for answer in await second] == [2]


async def test_r6_two_replicas_at_once_never_exceed_a_capacity(replicas, says):
    await replicas.ask(*(SaveAgent(agent=agent, capacity=3) for agent in ("anna", "bruno", "carla")))
    opened = [replicas.heard(says.later(seconds=1).opened(str(number))) for number in range(40)]
    await asyncio.gather(*(replicas.run(*opened[start : start + 4]) for start in range(0, 40, 4)))
    owners = list((await replicas.owners()).values())
    assert {agent: owners.count(agent) for agent in {*owners}} == {"anna": 3, "bruno": 3, "carla": 3, None: 31}
    await loads_do_not_drift(replicas.pool)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_r6_loads_never_drift_whatever_happens_in_whatever_batches(replicas, says, id_named, seed):
    chance = random.Random(seed)
    agents = ["anna", "bruno", "carla"]
    await replicas.ask(SaveTeam(team="billing"), *(SaveAgent(agent=agent, capacity=3) for agent in agents))
    for _ in range(25):
        items = [replicas.heard(said) for said in anything(chance, says) if said]
        items.append(replicas.asked(SaveAgent(agent=chance.choice(agents), capacity=chance.randint(0, 6))))
        if says.facts:
            case = id_named(chance.choice(list(says.facts)))
            items.append(replicas.asked(HandOver(conversation_id=case, to=chance.choice(agents), reason="because")))
        items.append(replicas.asked(SaveAgent(agent=chance.choice(agents), team=chance.choice(["support", "billing"]))))
        await replicas.run(*items)
        await loads_do_not_drift(replicas.pool)
        await nobody_is_free_while_somebody_waits(replicas.pool)
    chosen = await replicas.said("owner_chosen")
    assert all(said["record"]["steps"] for said in chosen)


def anything(chance, says):
    for _ in range(chance.randint(1, 12)):
        says.later(seconds=1)
        name = chance.choice(list(says.facts) or [""])
        match chance.randint(0, 6):
            case 0 | 1 | 2:
                yield says.opened(f"case {len(says.facts)}", stage=chance.choice([Stage.NEW, Stage.SUSPENDED]))
            case 3 if name:
                yield says.customer_replied(name)
            case 4 if name and says.facts[name].stage is not Stage.SUSPENDED:
                yield says.agent_replied(name, chance.choice(["anna", "bruno", "stranger"]))
            case 5 if name:
                yield says.resolved(name)
            case 6 if name:
                yield says.reviewed(name, chance.choice(["valid", "spam"]))


async def nobody_is_free_while_somebody_waits(pool):
    idle = await pool.fetch(
        """
        SELECT a.id, w.number
        FROM agents a
        JOIN assignments w ON w.team = a.team
        WHERE a.availability = 'available' AND a.load < a.capacity
          AND w.owner IS NULL AND w.routed AND w.stage IN ('new', 'needs_response')
        """
    )
    assert idle == []


async def test_r6_a_long_queue_is_worked_off_by_waking_again(replicas, says):
    await replicas.hear(*(says.opened(str(number)) for number in range(230)))
    await replicas.ask(SaveAgent(agent="anna", capacity=1000))
    woken = 0
    while due := await replicas.pool.fetchrow("SELECT aggregate, key, due_at FROM timers"):
        woken += 1
        item = Item(Source.TIMER, "timers", due["key"], 0, due["aggregate"], "", b"", due_at=due["due_at"])
        await replicas.run(item)
    assert woken == 2
    assert set((await replicas.owners()).values()) == {"anna"}


async def test_a_claim_and_a_hand_over_are_answered_with_what_a_screen_needs(replicas, says, id_named):
    await replicas.ask(SaveAgent(agent="anna", availability="busy"), SaveAgent(agent="bruno", availability="busy"))
    await replicas.hear(says.opened("case"))
    case = id_named("case")
    [claimed] = await replicas.ask(Claim(conversation_id=case, agent="anna"))
    assert (claimed.result["owner"], claimed.result["cause"]) == ("anna", "claimed")
    [refused] = await replicas.ask(Claim(conversation_id=case, agent="bruno"))
    assert refused.error.code == "already_owned"
    [handed] = await replicas.ask(HandOver(conversation_id=case, to="bruno", reason="Shift ends"), actor="anna")
    assert handed.result["previous"] == "anna"
    assert handed.result["reason"] == "anna handed it over to bruno: Shift ends"


async def test_somebody_who_answered_before_they_were_made_known_starts_with_their_load(replicas, says):
    await replicas.hear(says.opened("case"))
    await replicas.hear(says.agent_replied("case", "newcomer", signal=True))
    [saved] = await replicas.ask(SaveAgent(agent="newcomer", capacity=1))
    assert saved.result["load"] == 1
    await replicas.hear(says.opened("next"))
    assert await replicas.owners() == {1: "newcomer", 2: None}
    await loads_do_not_drift(replicas.pool)


async def test_rules_hold_from_the_batch_after_they_were_saved_and_every_version_is_kept(replicas, says):
    await replicas.ask(SaveAgent(agent="anna"), SaveAgent(agent="bruno"))
    [saved] = await replicas.ask(SaveRule(name="Refunds", words=("refund",), owner="bruno"))
    assert saved.result["version"] == 1
    await replicas.hear(says.opened("one", text="A refund!"))
    [changed] = await replicas.ask(SaveRule(name="Refunds", words=("refund",), owner="anna"))
    assert changed.result["rule_id"] == saved.result["rule_id"]
    await replicas.hear(says.opened("two", text="A refund!"))
    await replicas.ask(RemoveRule(name="Refunds"))
    await replicas.hear(says.opened("three", text="A refund!"))
    chosen = await replicas.said("owner_chosen")
    assert [(said["owner"], said["cause"], said["record"]["rules_version"]) for said in chosen[:2]] == [
        ("bruno", "keyword_rule", 1), ("anna", "keyword_rule", 2),
    ]  # fmt: skip
    assert chosen[2]["cause"] == "team_structure"
    assert await replicas.pool.fetchval("SELECT count(*) FROM rule_versions") == 3


async def test_a_rule_that_fails_its_check_says_where_and_leaves_the_list_alone(replicas):
    [refused, also] = await replicas.ask(
        SaveRule(name="a", team="support", pattern="(a|b"), SaveRule(name="b", team="support", pattern="x")
    )
    assert (refused.error.code, refused.error.details) == ("bad_pattern", {"position": 0})
    assert also.result["version"] == 1


async def test_r1_the_text_of_a_suspended_conversation_is_kept_until_its_review_only(replicas, says):
    await replicas.ask(SaveAgent(agent="anna"), SaveAgent(agent="bruno"))
    await replicas.ask(SaveRule(name="Refunds", words=("refund",), owner="bruno"))
    await replicas.hear(says.opened("case", stage=Stage.SUSPENDED, text="A refund!"))
    assert "A refund!" in await replicas.pool.fetchval("SELECT held FROM assignments")
    await replicas.hear(says.reviewed("case", "valid"))
    assert (await replicas.owners(), await replicas.pool.fetchval("SELECT held FROM assignments")) == ({1: "bruno"}, "")


async def test_r2_a_choice_of_priority_moves_it_up_the_queue(replicas, says):
    await replicas.hear(says.opened("first"), says.later(seconds=1).opened("second"))
    await replicas.hear(says.priority_changed("second", Priority.URGENT))
    await replicas.ask(SaveAgent(agent="anna", capacity=1))
    assert await replicas.owners() == {1: None, 2: "anna"}


async def test_repeated_and_early_events_change_nothing_twice(replicas, says):
    await replicas.ask(SaveAgent(agent="anna", capacity=5))
    opened, resolved = replicas.heard(says.opened("case")), replicas.heard(says.resolved("case"))
    await replicas.run(resolved)
    await replicas.run(opened)
    await replicas.run(opened, resolved, opened)
    assert len(await replicas.said("owner_chosen")) == 1
    assert await replicas.pool.fetchval("SELECT stage FROM assignments") == "resolved"
    await loads_do_not_drift(replicas.pool)


async def test_a_message_that_fails_undoes_its_batch_and_the_floor_with_it(replicas, says):
    await replicas.ask(SaveAgent(agent="anna", capacity=5))
    good, bad = says.opened("good"), says.opened("bad")
    too_large = bad.model_copy(update={"after": bad.after.model_copy(update={"number": 2**80})})
    items = [replicas.heard(good), replicas.heard(too_large)]
    with pytest.raises(asyncpg.DataError):
        await replicas.run(*items)
    await replicas.run(items[0])
    assert await replicas.owners() == {1: "anna"}
    await loads_do_not_drift(replicas.pool)

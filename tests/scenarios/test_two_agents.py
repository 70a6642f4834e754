"""C16, R9: two agents at the same conversation, and at the same queue, never cross each other."""

import asyncio

import pytest

from deskstream.contracts.inbound import Identity, InboundMessage
from deskstream.contracts.routing import Availability, SaveAgent

AGENTS = ("anna", "bruno", "clara")


async def publish(broker, *names):
    for name in names:
        message = InboundMessage(
            external_id=f"{name}@queue.example",
            sender=Identity(email=f"{name}@queue.example"),
            title=name,
            text="Help.",
        )
        await broker.jetstream().publish(
            "inbound.email.support", message.model_dump_json(exclude_defaults=True).encode()
        )


async def staff(desk, availability):
    for agent in AGENTS:
        await desk.ask(SaveAgent(agent=agent, availability=availability, capacity=50))


def replies(shown):
    return [entry["reply"]["text"] for entry in shown["timeline"] if entry["kind"] == "reply"]


@pytest.mark.slow
async def test_c16_a_reply_written_without_seeing_a_colleagues_is_shown_it_first(open_desk, broker):
    async with open_desk() as desk:
        await staff(desk, Availability.AVAILABLE)
        await publish(broker, "ada")
        seen = (await desk.when("CONV-1", lambda it: it["owner"], "an owner"))["version"]
        assert (await desk.reply("CONV-1", "anna", "Restart it.", last_seen=seen)).status_code == 202

        refused = await desk.reply("CONV-1", "bruno", "Reinstall it.", last_seen=seen)
        assert (refused.status_code, refused.json()["code"]) == (409, "newer_messages")
        news = refused.json()["details"]
        assert [(one["kind"], one["author"], one["text"]) for one in news["newer"]] == [
            ("reply", "anna", "Restart it.")
        ]
        assert news["version"] > seen
        shown = await desk.when("CONV-1", lambda it: it["stage"] == "waiting_on_user", "the release")
        assert replies(shown) == ["Restart it."]

        confirmed = await desk.reply("CONV-1", "bruno", "Or reinstall it.", last_seen=seen, confirm=True)
        assert confirmed.status_code == 202
        shown = await desk.when("CONV-1", lambda it: len(replies(it)) == 2, "the second reply")
        assert replies(shown) == ["Restart it.", "Or reinstall it."]


@pytest.mark.slow
async def test_c16_a_note_counts_as_news_and_having_seen_it_suffices(open_desk, broker):
    async with open_desk() as desk:
        await publish(broker, "ada")
        seen = (await desk.when("CONV-1", lambda it: it["clocks"], "a clock"))["version"]
        noted = await desk.post("/api/conversations/CONV-1/notes", "clara", text="She is on the old plan.")
        assert noted.status_code == 200
        refused = await desk.reply("CONV-1", "anna", "Hello Ada.", last_seen=seen)
        assert [one["kind"] for one in refused.json()["details"]["newer"]] == ["note"]
        seen = refused.json()["details"]["version"]
        assert (await desk.reply("CONV-1", "anna", "Hello Ada.", last_seen=seen)).status_code == 202


@pytest.mark.slow
async def test_r9_two_who_ask_for_the_next_at_once_never_get_the_same(open_desk, broker):
    names = [f"customer{number}" for number in range(12)]
    async with open_desk() as desk:
        # Who is busy is given nothing, but may ask.
        await staff(desk, Availability.BUSY)
        await publish(broker, *names)
        for number in range(1, 13):
            await desk.when(f"CONV-{number}", lambda it: it["decisions"], "a decision")
        answers = await asyncio.gather(*(desk.post("/api/next-up", AGENTS[n % 3]) for n in range(15)))
        assert sorted(answer.status_code for answer in answers) == [200] * 12 + [404] * 3
        assert {answer.json()["code"] for answer in answers if answer.is_error} == {"nothing_waits"}
        listed = (await desk.api.get("/api/conversations", params={"sort": "received"})).json()["conversations"]
        assert sorted(one["title"] for one in listed) == sorted(names)
        records = await desk.records.fetch(
            "SELECT key, body::json -> 'data' ->> 'owner' AS owner FROM routing.journal "
            "WHERE type LIKE '%.owner_chosen' AND body::json -> 'data' ->> 'cause' = 'next_up'"
        )
        assert len({row["key"] for row in records}) == len(records) == 12
        # Nobody can have got more than asked.
        assert all([row["owner"] for row in records].count(agent) <= 5 for agent in AGENTS)

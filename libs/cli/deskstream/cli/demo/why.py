"""Chapter two: why Anna, why not Bruno; and who waits behind whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from deskstream.cli.demo.mails import written
from deskstream.cli.demo.telling import Teller
from deskstream.cli.demo.world import World, until
from deskstream.contracts.ids import AgentId
from deskstream.contracts.routing import Availability, ListAgents, SaveAgent

AGENTS = ("anna", "bruno", "clara")


async def tell(world: World, teller: Teller) -> None:
    """The keyword rule beats the default owner; the stranger who came first waits behind the customer."""
    teller.chapter("Why Anna, why not Bruno")
    await _rule_beats_owner(world, teller)
    await _customer_before_stranger(world, teller)
    teller.again("deskstream demo --chapter why")


async def _rule_beats_owner(world: World, teller: Teller) -> None:
    mail = written(
        "Dora Weiss <dora@acme.example>", "Refund for October", "Please refund invoice 4712.",
        "refund-1@acme.example", world.now(),
    )  # fmt: skip
    await world.mail(mail)
    shown = await _owned(world, mail.key)
    teller.line(
        f"“Refund for October” from Acme, whose default owner is bruno, is [b]{shown['name']}[/b] "
        f"and belongs to [b]{shown['owner']}[/b]:",
        conversation=shown["name"],
        owner=shown["owner"],
    )
    _reasons(teller, shown)


async def _owned(world: World, key: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        shown = await world.conversation_of(key)
        return shown if shown["decisions"] and shown["owner"] else None

    return await until(look, "an owner")


def _reasons(teller: Teller, shown: dict[str, Any]) -> None:
    record = shown["decisions"][0]["record"]
    steps = [[("✔" if s["matched"] else "·"), s["name"], s["why"]] for s in record["steps"]]
    teller.table(["", "tried in this order", "why"], steps)
    candidates = [[("✔" if c["chosen"] else "·"), c["agent"], c["why"]] for c in record["candidates"]]
    if candidates:
        teller.table(["", "candidate", "why, or why not"], candidates)


async def _customer_before_stranger(world: World, teller: Teller) -> None:
    for agent in AGENTS:
        await world.ask(SaveAgent(agent=AgentId(agent), availability=Availability.AWAY))
    here = world.now()
    await world.travel(here - timedelta(minutes=2))
    stranger = written(
        "Sam Poe <sam.poe@gmail.com>", "Cannot find the settings", "Where are they?", "settings-1@mail.gmail.com",
        world.now(),
    )  # fmt: skip
    await world.mail(stranger)
    first = await _decided(world, stranger.key)
    await world.travel(here)
    customer = written(
        "Erik Sand <erik@acme.example>",
        "Board does not load",
        "Since ten minutes.",
        "board-1@acme.example",
        world.now(),
    )
    await world.mail(customer)
    second = await _decided(world, customer.key)
    teller.line(
        f"everybody is away; a stranger writes [b]{first['name']}[/b] (priority {first['priority']}), "
        f"two minutes later a customer writes [b]{second['name']}[/b] (priority {second['priority']}): both wait",
        stranger=first["name"],
        customer=second["name"],
    )
    await _room_for_one(world)
    taken = await _owned(world, customer.key)
    waiting = await world.conversation(first["name"])
    teller.line(
        f"clara is back with room for one: [b]{taken['owner']}[/b] gets [b]{taken['name']}[/b], the customer's; "
        f"{waiting['name']}, the stranger's, waits behind it",
        taken=taken["name"],
        waiting=waiting["name"],
        waits=waiting["owner"] is None,
    )
    _reasons(teller, taken)
    for agent in AGENTS:
        await world.ask(SaveAgent(agent=AgentId(agent), availability=Availability.AVAILABLE, capacity=20))
    served = await _owned(world, stranger.key)
    teller.line(f"the others are back: {served['owner']} gets {served['name']}", conversation=served["name"])


async def _room_for_one(world: World) -> None:
    agents = (await world.ask(ListAgents()))["agents"]
    load = next(agent["load"] for agent in agents if agent["id"] == "clara")
    await world.ask(SaveAgent(agent=AgentId("clara"), availability=Availability.AVAILABLE, capacity=load + 1))


async def _decided(world: World, key: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        shown = await world.conversation_of(key)
        return shown if shown["decisions"] else None

    return await until(look, "a decision")

"""Chapter six: a message that breaks a handler holds up its own key, until the handler is mended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import nats

from deskstream.cli.clean import one_line
from deskstream.cli.database import schema
from deskstream.cli.demo.mails import Mail, written
from deskstream.cli.demo.orders.noting import NAME, declare
from deskstream.cli.demo.telling import Teller, quoted
from deskstream.cli.demo.world import World, until
from deskstream.messaging import Declaration, dead_letters
from deskstream.messaging.dead_letters import DeadLetter, Wanted
from deskstream.messaging.topology import provision, topology
from deskstream.runtime.launch import running
from deskstream.runtime.migrations import migrate
from deskstream.runtime.schemas import installed_services, schemas

LETTERS = (
    ("Yuki Sato <yuki@sakura.example>", "Where is it?", "Where is order no. 4711?", "order-1@sakura.example"),
    ("Ben Carver <ben@globex.example>", "It is broken", "My order no. 12-B is broken.", "order-1@globex.example"),
    ("Ben Carver <ben@globex.example>", "Re: It is broken", "And order no. 13, too.", "order-2@globex.example"),
    ("Ada Lovell <ada@acme.example>", "Twice", "I got order no. 4712 twice.", "order-1@acme.example"),
)

NOTED = "SELECT conversation_id, numbers FROM orders.orders"


async def tell(world: World, teller: Teller) -> None:
    """Show what waits and why, mend it, have it tried again: in order."""
    teller.chapter("Poison")
    async with _beside(world, declare(int)):
        teller.line("a new service hears conversations and notes order numbers; its first version reads them as int")
        letter, who = await _arrive(world, teller)
        _show(teller, letter, who)
    teller.line("it is mended: a number is a text; the service is started anew, and the message tried again")
    async with _beside(world, declare(str)):
        async with schema(world.database, NAME) as tx:
            await dead_letters.retry(tx, [letter])
        numbers = await until(lambda: _numbers(world, letter.key, 2), "the mended message and the one behind it")
        await until(lambda: _nothing_waits(world), "the end of the queue")
    teller.line(
        f"noted for {who[letter.key]}: {quoted(', then '.join(numbers))}. In order, nothing waits any more",
        numbers=numbers,
        waiting=0,
    )
    teller.again("deskstream demo --chapter poison")


async def _arrive(world: World, teller: Teller) -> tuple[DeadLetter, dict[str, str]]:
    who = {}
    for place, (sender, subject, text, key) in enumerate(LETTERS):
        mail = written(sender, subject, text, key, world.now())
        if subject.startswith("Re: "):
            mail = _answering(mail, LETTERS[place - 1][3])
        await world.mail(mail)
        shown = await world.conversation_of(mail.key)
        who[str(shown["id"])] = shown["name"]
        teller.line(f"[b]{shown['name']}[/b] “{quoted(text)}”", conversation=shown["name"])
    found = await until(lambda: _failed_with_one_behind(world), "what fails, and what waits behind it")
    return found, who


def _answering(mail: Mail, earlier: str) -> Mail:
    return Mail(f"In-Reply-To: <{earlier}>\n".encode() + mail.raw, mail.sender, mail.key)


def _show(teller: Teller, letter: DeadLetter, who: dict[str, str]) -> None:
    row = [
        who[letter.key], letter.type.rpartition(".")[2], letter.state, str(letter.tries), one_line(letter.reason, 90),
        str(letter.behind),
    ]  # fmt: skip
    teller.table(["conversation", "message", "state", "tries", "reason", "behind it"], [row])
    others = [name for key, name in who.items() if key != letter.key]
    teller.line(
        f"{who[letter.key]} alone is held up; {' and '.join(others)} were noted at once. "
        "On a desk of yours `deskstream dead-letters list` shows such ones",
        held_up=[who[letter.key]],
        others=others,
        reason=letter.reason,
        behind=letter.behind,
    )


async def _failed_with_one_behind(world: World) -> DeadLetter | None:
    async with schema(world.database, NAME) as tx:
        found = await dead_letters.find(tx, Wanted())
    noted = await world.database.fetch(NOTED)
    return found[0] if found and found[0].behind == 1 and len(noted) == 2 else None


async def _numbers(world: World, conversation: str, count: int) -> list[str] | None:
    rows: list[Any] = await world.database.fetch(NOTED)
    numbers = {row["conversation_id"]: list(row["numbers"]) for row in rows}.get(conversation, [])
    return numbers if len(numbers) >= count else None


async def _nothing_waits(world: World) -> bool:
    async with schema(world.database, NAME) as tx:
        return not await tx.fetchval("SELECT count(*) FROM waiting")


@asynccontextmanager
async def _beside(world: World, service: Declaration) -> AsyncIterator[None]:
    """Runs one more service on the world's servers, as anybody's would."""
    for name, sources in schemas([service]).items():
        await migrate(world.database, name, sources)
    client = await nats.connect(world.addresses.nats_url)
    await provision(client, topology([*installed_services().values(), service]))
    await client.close()
    await world.admit(service)
    async with running([service], world.settings, clock_offset=world.offset):
        yield

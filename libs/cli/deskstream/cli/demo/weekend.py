"""Chapter three: a clock over a holiday weekend, to the minute."""

from __future__ import annotations

from datetime import datetime
from importlib import import_module
from typing import Any

from deskstream.cli.demo.mails import FILES, written
from deskstream.cli.demo.telling import Teller
from deskstream.cli.demo.world import BERLIN, World, until

THURSDAY = datetime(2026, 4, 30, 16, 30, tzinfo=BERLIN)
MONDAY = datetime(2026, 5, 4, 9, 20, tzinfo=BERLIN)


async def tell(world: World, teller: Teller) -> None:
    """Created Thursday 16:30 before Labour Day, answered Monday 09:20; target 60 open minutes."""
    teller.chapter("The weekend")
    before = world.offset
    await world.travel(THURSDAY)
    mail = written(
        "Yuki Sato <yuki@sakura.example>", "Search finds nothing", "Since the update.", "search-1@sakura.example",
        world.now(),
    )  # fmt: skip
    await world.mail(mail)
    shown = await until(lambda: _clocked(world, mail.key), "a running clock")
    teller.line(f"Thursday 2026-04-30, 16:30 in Berlin: [b]{shown['name']}[/b] arrives", conversation=shown["name"])
    await world.travel(MONDAY)
    await world.reply(shown["name"], "clara", "Fixed, the index was being rebuilt.")
    clock = await until(lambda: _stopped(world, shown["name"]), "the clock's end")
    teller.line(
        f"Monday 2026-05-04, 09:20: clara answers. [b]{clock['outcome']}[/b], "
        f"{clock['business_minutes']:.0f} business minutes, {clock['calendar_minutes']:,.0f} calendar minutes",
        outcome=clock["outcome"],
        business_minutes=clock["business_minutes"],
        calendar_minutes=clock["calendar_minutes"],
    )
    teller.picture(_picture(clock))
    await world.travel(datetime.now(BERLIN) + before)
    teller.again("deskstream demo --chapter weekend")


async def _clocked(world: World, key: str) -> dict[str, Any] | None:
    shown = await world.conversation_of(key)
    return shown if shown["clocks"] else None


async def _stopped(world: World, name: str) -> dict[str, Any] | None:
    clocks = (await world.conversation(name))["clocks"]
    return next((dict(clock) for clock in clocks if clock.get("outcome")), None)


def _picture(clock: dict[str, Any]) -> list[str]:
    calendars = import_module("deskstream.calendars.forms")
    calendar = calendars.calendar_of(calendars.CalendarForm(**calendars.read_form(str(FILES / "hours.toml"))))
    start, stopped = (datetime.fromisoformat(clock[name]) for name in ("started_at", "stopped_at"))
    lines = import_module("deskstream.sla.draw").weekend_picture(
        calendar, start, stopped, datetime.fromisoformat(clock["due_at"]), stopped
    )
    return [str(line) for line in lines]

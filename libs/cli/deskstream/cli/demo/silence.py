"""Chapter eight: a customer who says nothing is reminded twice; then it is solved, but not over an open task."""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from deskstream.cli.demo.mails import Mail, written
from deskstream.cli.demo.telling import Teller, quoted
from deskstream.cli.demo.tickets import (
    Shown,
    arrived,
    asked,
    first_line,
    in_thread_of,
    insist,
    mails_to,
    named,
    opened,
    shown,
    ticket_when,
)
from deskstream.cli.demo.world import BERLIN, World, until

MONDAY = datetime(2026, 6, 8, 9, 0, tzinfo=BERLIN)


async def tell(world: World, teller: Teller) -> None:
    """Open hours of the desk's calendar are lived through by moving its clock to the moments that matter."""
    teller.chapter("Nobody forgotten")
    before = world.offset
    await world.travel(MONDAY)
    mail = written(
        "Yuki Sato <yuki@sakura.example>", "Login loops", "I am sent back each time.", "silence-1@sakura.example",
        world.now(),
    )  # fmt: skip
    ticket, pending = await _asked(world, teller, mail)
    moments = _moments(datetime.fromisoformat(pending["pending_since"]))
    arrived_before = len(world.customers.mails)
    for count, moment in enumerate(moments[:-1], start=1):
        await _reminded(world, teller, ticket, mail, count, moment, arrived_before)
    await _stopped(world, teller, ticket, moments[-1])
    await _solved(world, teller, ticket)
    insist(len(world.customers.mails) == arrived_before + len(moments) - 1, "two reminders, and no mail more")
    await world.travel(datetime.now(BERLIN) + before)
    closed = await ticket_when(world, ticket, lambda it: it["stage"] == "closed", "the closing")
    teller.line("back to today: nobody had anything to add, it is closed", stage=closed["stage"])
    await _told(world, teller, ticket)
    teller.again("deskstream demo --chapter silence")


async def _asked(world: World, teller: Teller, mail: Mail) -> tuple[Shown, Shown]:
    conversation = (await arrived(world, mail))["name"]
    ticket = await opened(world, "anna", conversation, owner="anna", customer_engineer="clara")
    await asked(world, "anna", f"/api/tickets/{named('TKT', ticket)}/tasks", title="Update the docs", owner="anna")
    speaks = [{"ticket_id": ticket["id"], "asks": "confirmation"}]
    await world.reply(conversation, "anna", "Please clear your cookies once. Does it work now?", speaks_for=speaks)
    pending = await ticket_when(world, ticket, lambda it: it["stage"] == "pending", "the wait for the customer")
    teller.line(
        f"{_when(pending['pending_since'])}: anna answers [b]{conversation}[/b] and asks whether "
        f"{named('TKT', ticket)} is solved. A task born from it is open: “Update the docs”",
        conversation=conversation,
        ticket=named("TKT", ticket),
    )
    return ticket, pending


def _moments(since: datetime) -> list[datetime]:
    """When a silent customer is reminded, and when we give up, as the service's own settings say."""
    forms = import_module("deskstream.calendars.forms")
    settings: Any = import_module("deskstream.ticketing.config").Settings()
    calendar = forms.calendar_of(settings.calendar_form())
    waits = (*settings.follow_ups, timedelta(hours=settings.give_up_hours))
    return [calendar.add_open(since, wait) for wait in waits]


async def _reminded(  # noqa: PLR0913 - what is expected, where and when
    world: World, teller: Teller, ticket: Shown, mail: Mail, count: int, moment: datetime, arrived_before: int
) -> None:
    await world.travel(moment)
    reminders = await mails_to(world, mail.sender, since=arrived_before, count=count)
    insist(len(reminders) == count, f"there are {count} reminders by {moment}")
    insist(in_thread_of(reminders[-1], mail.key), "a reminder is in the thread of its customer")
    await ticket_when(world, ticket, lambda it: it["follow_ups"] == count, f"reminder {count}")
    teller.line(
        f"{_when(moment)}, silence: mail {count} leaves: “{quoted(first_line(reminders[-1]))}”",
        reminders=count,
        at=moment.astimezone(BERLIN).isoformat(),
    )


async def _stopped(world: World, teller: Teller, ticket: Shown, moment: datetime) -> None:
    await world.travel(moment)
    stopped = await until(lambda: _step(world, ticket, "solving_stopped"), "the refusal over the open task")
    facts = await ticket_when(world, ticket, lambda it: True, "its stage")
    insist(facts["stage"] == "pending", "an open task keeps a ticket from being solved")
    titles = [task["title"] for task in stopped["details"]["tasks"]]
    teller.line(
        f"{_when(moment)}: it would be solved now, but {quoted(', '.join(titles))} is open: it stays {facts['stage']}, "
        f"and {facts['owner']} is told",
        refused_by=titles,
        stage=facts["stage"],
    )


async def _solved(world: World, teller: Teller, ticket: Shown) -> None:
    await asked(world, "anna", f"/api/tickets/{named('TKT', ticket)}/tasks/1", how="done")
    solved = await ticket_when(world, ticket, lambda it: it["stage"] == "solved", "the solution")
    told = await until(lambda: _step(world, ticket, "customer_engineer_told"), "what the customer engineer is told")
    insist(solved["engineer_told"], "the customer engineer knows")
    teller.line(
        f"the docs are done: {told['details']['engineer']}, the customer engineer, is told, "
        f"and it is solved as [b]{solved['resolution']}[/b]",
        engineer=told["details"]["engineer"],
        resolution=solved["resolution"],
    )


async def _step(world: World, ticket: Shown, event: str) -> Shown | None:
    history = (await shown(world, f"/api/tickets/{named('TKT', ticket)}"))["history"]
    return next((step for step in history if step["event"] == event), None)


async def _told(world: World, teller: Teller, ticket: Shown) -> None:
    """All that happened to it, in order."""

    async def look() -> list[Shown] | None:
        history: list[Shown] = (await shown(world, f"/api/tickets/{named('TKT', ticket)}"))["history"]
        return history if history and history[-1]["stage"] == "closed" else None

    history = await until(look, "the last step of the ticket's history")
    rows = [[_when(step["at"]), step["event"], step["stage"] or "–", step["actor"] or "–"] for step in history]
    teller.table(["when (Berlin)", "what", "stage", "by"], rows)


def _when(moment: datetime | str) -> str:
    parsed = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return parsed.astimezone(BERLIN).strftime("%a %d %b %H:%M")

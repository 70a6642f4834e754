"""Chapter seven: a crash, a wish and a new feature in one mail become three tickets; one fix answers two customers."""

from __future__ import annotations

from rich.console import Console

from deskstream.cli.demo.mails import Mail, written
from deskstream.cli.demo.telling import Teller, quoted
from deskstream.cli.demo.tickets import (
    Shown,
    arrived,
    asked,
    conversation_when,
    filed,
    first_line,
    in_thread_of,
    insist,
    mails_to,
    named,
    opened,
    refused,
    shown,
    text_of,
    ticket_when,
)
from deskstream.cli.demo.world import World
from deskstream.cli.work.drawing import tree_of
from deskstream.cli.work.names import Member

TEXT = """The export crashes with more than 1,000 rows.

Besides: we wish for a dark mode. And could reports come by mail every Monday?
"""
WISHES = (
    ("Export crashes with many rows", "bug", "Export"),
    ("A dark mode", "feature_request", "Dark mode"),
    ("Reports by mail every Monday", "feature_request", "Reports"),
)
PARTS = (("Export", "capability"), ("Dark mode", "enhancement"), ("Reports", "capability"))
ENGINEER = "bruno"


async def tell(world: World, teller: Teller) -> None:
    """The conversation ends, its tickets live; whoever asked for the same thing is answered with one approval."""
    teller.chapter("Three wishes, one mail")
    parts = await _parts(world)
    first = written(
        "Ada Lovell <ada@acme.example>", "Three wishes", TEXT, "wishes-1@acme.example", world.now()
    )  # fmt: skip
    second = written(
        "Ben Carver <ben@globex.example>", "Export crashes", "It just ends.", "wishes-1@globex.example", world.now()
    )  # fmt: skip
    crash = await _three(world, teller, first, parts)
    same, waiting = await _same(world, teller, second, parts)
    issue = await filed(world, "anna", [crash, same], title="Rows over a page", part_id=parts["Export"])
    await _draw(world, teller, issue)
    await _fix(world, teller, issue, [crash, same], waiting)
    await _answer(world, teller, issue, {crash["number"]: first, same["number"]: second})
    teller.again("deskstream demo --chapter wishes")


async def _parts(world: World) -> dict[str, str]:
    product = (await asked(world, "anna", "/api/parts", name="Atlas", kind="product"))["part"]
    found = {}
    for name, kind in PARTS:
        wanted = {"name": name, "kind": kind, "parent": product["id"], "owners": [ENGINEER]}
        found[name] = str((await asked(world, "anna", "/api/parts", **wanted))["part"]["id"])
    return found


async def _three(world: World, teller: Teller, mail: Mail, parts: dict[str, str]) -> Shown:
    """Returns the ticket of the crash."""
    conversation = (await arrived(world, mail))["name"]
    tickets = [
        await opened(world, "anna", conversation, title=title, type=kind, part_id=parts[part])
        for title, kind, part in WISHES
    ]
    rows = [[named("TKT", one), one["title"], one["type"], one["part"]["name"]] for one in tickets]
    teller.line(f"Ada's mail is [b]{conversation}[/b]; anna opens three tickets from it", conversation=conversation)
    teller.table(["ticket", "title", "type", "part"], rows)
    await asked(world, "anna", f"/api/conversations/{conversation}/resolve", category="continued_in_ticket")
    resolved = await conversation_when(world, conversation, lambda it: it["stage"] == "resolved", "the resolution")
    stages = [one["stage"] for one in resolved["tickets"]]
    insist(len(stages) == len(WISHES) and set(stages) == {"new"}, "tickets outlive their conversation")
    teller.line(
        f"anna resolves [b]{conversation}[/b]; its tickets live: {', '.join(stages)}",
        stage=resolved["stage"],
        tickets=stages,
    )
    return tickets[0]


async def _same(world: World, teller: Teller, mail: Mail, parts: dict[str, str]) -> tuple[Shown, str]:
    """Another customer's ticket about the crash, and the conversation that waits for it."""
    conversation = (await arrived(world, mail))["name"]
    ticket = await opened(world, "clara", conversation, title="Export ends", type="bug", part_id=parts["Export"])
    wait = {"kind": "ticket", "name": named("TKT", ticket)}
    await asked(world, "clara", f"/api/conversations/{conversation}/hold", waits=[wait])
    await conversation_when(world, conversation, lambda it: it["stage"] == "hold", "the hold")
    teller.line(
        f"Ben of Globex has the same crash: [b]{conversation}[/b] is on hold for {wait['name']}",
        conversation=conversation,
    )
    return ticket, conversation


async def _draw(world: World, teller: Teller, issue: Shown) -> None:
    name = named("ISS", issue)
    chain = await shown(world, f"/api/issues/{name}/chain")
    teller.line(f"both wait for one issue; `deskstream chain {name}` draws it:", issue=name)
    console = Console(width=120, highlight=False, no_color=True)
    with console.capture() as drawn:
        console.print(tree_of(chain, Member("issue", issue["number"])))
    teller.picture([line.rstrip() for line in drawn.get().splitlines()])


async def _fix(world: World, teller: Teller, issue: Shown, tickets: list[Shown], waiting: str) -> None:
    name = named("ISS", issue)
    await asked(world, ENGINEER, f"/api/issues/{name}/accept", stage="in_development")
    await asked(world, ENGINEER, f"/api/issues/{name}/move", stage="completed")
    for ticket in tickets:
        await ticket_when(world, ticket, lambda it: it["stage"] == "open", "the end of its wait")
    back = await conversation_when(world, waiting, lambda it: it["stage"] == "needs_response", "the end of its hold")
    prepared = [one["text"] for one in back["prepared"]]
    insist(len(prepared) == 1, "an answer is prepared")
    teller.line(
        f"{ENGINEER} accepts and completes {name}: both tickets are open, [b]{waiting}[/b] needs a response; "
        f"prepared: “{quoted(prepared[0])}”",
        stage=back["stage"],
        prepared=prepared,
    )


async def _answer(world: World, teller: Teller, issue: Shown, asked_by: dict[int, Mail]) -> None:
    """`asked_by`: a ticket's number, and the customer's mail in whose thread it is answered."""
    path = f"/api/issues/{named('ISS', issue)}/approve-answer"
    text = "Good news: {ticket} is fixed. Does it work for you now?"
    before = len(world.customers.mails)
    await asked(world, "anna", path, text=text)
    answered = []
    for number, mail in asked_by.items():
        (ours,) = await mails_to(world, mail.sender, since=before)
        others = [f"TKT-{other}" for other in asked_by if other != number]
        insist(in_thread_of(ours, mail.key), f"{mail.sender} is answered in the thread of their own")
        insist(f"TKT-{number} “" in text_of(ours), f"{mail.sender} reads the name of the ticket")
        insist(not any(f"{other} “" in text_of(ours) for other in others), "nobody reads of another's ticket")
        answered.append(mail.sender)
        teller.line(f"{mail.sender} receives “{quoted(ours['Subject'])}”: {quoted(first_line(ours))}")
    sentence = await refused(world, "anna", path, text=text)
    insist(len(world.customers.mails) == before + len(asked_by), "one approval is one mail for each")
    teller.line(
        f"one approval, {len(answered)} customers, each in the thread of their own. "
        f"Approved again: “{quoted(sentence)}”",
        answered=answered,
        mails=len(world.customers.mails) - before,
    )

"""Chapter nine: a security defect is filed, solved and answered, and no customer reads a word of it."""

from __future__ import annotations

from deskstream.cli.database import schema
from deskstream.cli.demo.mails import written
from deskstream.cli.demo.telling import Teller, quoted
from deskstream.cli.demo.tickets import (
    Shown,
    arrived,
    asked,
    filed,
    first_line,
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
from deskstream.contracts import issues

TITLE = "Session outlives its logout"
TEXT = "The token in the old tab goes on being good for a day."
LINK = "https://issues.atlas.example/4711"
ENGINEER = "bruno"
ALLOWED = frozenset({issues.LANE})
"""Lanes on which the words of a confidential issue may stand: those that the dev org alone hears."""


async def tell(world: World, teller: Teller) -> None:
    """The customer's view beside ours, then every mail and every journal searched for what was confidential."""
    teller.chapter("Security")
    before = len(world.customers.mails)
    mail = written(
        "Yuki Sato <yuki@sakura.example>", "Odd logout", "I logged out, and still saw my board.",
        "secret-1@sakura.example", world.now(),
    )  # fmt: skip
    conversation = (await arrived(world, mail))["name"]
    ticket = await opened(world, "clara", conversation)
    issue = await _filed(world, teller, ticket)
    speaks = [{"ticket_id": ticket["id"], "gives": ["filed"]}]
    await world.reply(conversation, "clara", "Thank you. We have filed it with our engineers.", speaks_for=speaks)
    await ticket_when(world, ticket, lambda it: "filed" in it["given"], "the news that it was filed")
    await _compare(world, teller, ticket, issue)
    await _solve(world, teller, issue)
    (*_, last) = mails = await mails_to(world, mail.sender, since=before, count=2)
    teller.line(f"{mail.sender} receives: “{quoted(first_line(last))}”", mails=len(mails))
    await _search(world, teller, ticket, issue, [one.as_string() + text_of(one) for one in mails])
    teller.again("deskstream demo --chapter security")


async def _filed(world: World, teller: Teller, ticket: Shown) -> Shown:
    issue = await filed(world, "clara", [ticket], title=TITLE, text=TEXT)
    path = f"/api/issues/{named('ISS', issue)}/publish"
    marked = (await asked(world, ENGINEER, path, link=LINK, reveals="yes"))["issue"]
    insist(marked["security"] == "yes", "what could reveal a vulnerability becomes confidential")
    sentence = await refused(world, ENGINEER, path, link=LINK, reveals="no")
    teller.line(
        f"clara files {named('ISS', issue)} for {named('TKT', ticket)}; {ENGINEER} wants to publish it, is asked "
        f"whether it could reveal a vulnerability, and says yes. From then on: “{quoted(sentence)}”",
        issue=named("ISS", issue),
        security=marked["security"],
    )
    return issue


async def _compare(world: World, teller: Teller, ticket: Shown, issue: Shown) -> None:
    theirs = await _customers(world, ticket)
    ours = await shown(world, f"/api/issues/{named('ISS', issue)}")
    insist(theirs["filed"] and not theirs["links"], "the customer sees that it is filed, and no link")
    teller.table(
        ["", "the customer sees", "we see"],
        [
            ["title", theirs["title"], ours["issue"]["title"]],
            ["stage", theirs["stage"], ours["issue"]["stage"]],
            ["filed", "yes" if theirs["filed"] else "no", f"{named('ISS', issue)}, confidential"],
            ["links", ", ".join(theirs["links"]) or "–", ours["issue"]["public_link"] or "–"],
            ["text", str(theirs.get("text") or "–"), ours["text"]],
        ],
    )


async def _customers(world: World, ticket: Shown) -> Shown:
    """The ticket as its customer may see it."""
    page = await shown(world, f"/api/contacts/{ticket['requester']['id']}/tickets")
    found: Shown = next(one for one in page["tickets"] if one["id"] == ticket["id"])
    return found


async def _solve(world: World, teller: Teller, issue: Shown) -> None:
    path = f"/api/issues/{named('ISS', issue)}"
    await asked(world, ENGINEER, f"{path}/accept", stage="in_development")
    await asked(world, ENGINEER, f"{path}/move", stage="completed", reason=TEXT)
    sentence = await refused(world, "clara", f"{path}/approve-answer", text=f"“{TITLE}” is solved in {{ticket}}.")
    teller.line(
        f"it is completed; an answer with its title is refused: “{quoted(sentence)}”",
        refused=sentence,
    )
    await asked(world, "clara", f"{path}/approve-answer", text="{ticket} is solved. Is it for you?")


async def _search(world: World, teller: Teller, ticket: Shown, issue: Shown, mails: list[str]) -> None:
    seen = str(await _customers(world, ticket))
    words = (TITLE, TEXT, LINK, named("ISS", issue))
    leaks = [word for word in words for text in (*mails, seen) if word.casefold() in text.casefold()]
    insist(not leaks, "no customer reads a confidential issue's title, text, link or number")
    told, messages = await _lanes_that_tell(world)
    insist(told <= ALLOWED, f"confidential words stay on the dev org's lane, and are on {', '.join(sorted(told))}")
    insist(bool(told), "the search finds what it looks for where that may stand")
    teller.line(
        f"{messages:,} messages of {len(world.services)} services, {len(mails)} mails and the customer's view were "
        f"searched: its words are on {', '.join(sorted(told))} only",
        messages=messages,
        lanes=sorted(told),
        leaks=leaks,
    )


async def _lanes_that_tell(world: World) -> tuple[set[str], int]:
    lanes, messages = set(), 0
    for name in world.services:
        async with schema(world.database, name) as tx:
            messages += await tx.fetchval("SELECT count(*) FROM journal")
            rows = await tx.fetch(
                "SELECT DISTINCT lane FROM journal WHERE body ILIKE ANY($1::text[])", [f"%{TITLE}%", f"%{TEXT}%"]
            )
            lanes |= {row["lane"] for row in rows}
    return lanes, messages

"""Chapter one: mails of every kind arrive, are answered, and the answers arrive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from functools import partial
from typing import Any

from deskstream.cli.demo.mails import Mail, answering, bounce, on_file
from deskstream.cli.demo.telling import Teller, quoted
from deskstream.cli.demo.world import BERLIN, World, until

FIRST = (
    ("01-plain.eml", "plain, known organisation"),
    ("02-html.eml", "HTML, script, tracking pixel"),
    ("03-keyword.eml", "says “invoice”"),
    ("04-stranger.eml", "free mail, unknown"),
    ("05-reply-in-thread.eml", "answers the first one"),
    ("06-attachment.eml", "attachment ../../screen shot.png"),
    ("07-japanese.eml", "ISO-2022-JP"),
    ("08-cyrillic.eml", "KOI8-R, unknown domain"),
    ("09-spam.eml", "spam"),
    ("10-newsletter.eml", "newsletter"),
    ("11-broken-headers.eml", "broken headers and charset"),
    ("01-plain.eml", "the first one once more"),
)


@dataclass
class Cast:
    """Conversations that later scenes go on with."""

    export: str = ""
    trial: str = ""
    letter: str = ""


async def tell(world: World, teller: Teller) -> None:
    """Twelve mails in, four answers out, and what comes back."""
    teller.chapter("Sixteen mails")
    cast = await _arrive(world, teller)
    ours = await _answer(world, teller, cast)
    await _come_back(world, teller, cast, ours)
    await _after_the_end(world, teller, cast, ours[cast.export])
    teller.again("deskstream demo --chapter mails")


async def _arrive(world: World, teller: Teller) -> Cast:
    rows, cast = [], Cast()
    for name, what in FIRST:
        mail = on_file(name, world.now())
        accepted = await world.mail(mail)
        shown = await _shown(world, mail)
        rows.append([what, mail.sender, f"{accepted:.0f} ms", *_became(shown)])
        _remember(cast, name, shown)
    teller.table(["mail", "from", "accepted", "became", "stage", "owner", "account", "due (Berlin)"], rows)
    return cast


async def _shown(world: World, mail: Mail) -> dict[str, Any]:
    """As soon as everything has been said about it: a valid one has an owner and a clock."""

    async def look() -> dict[str, Any] | None:
        shown = await world.conversation_of(mail.key)
        return shown if shown["stage"] == "suspended" or (shown["owner"] and shown["clocks"]) else None

    return await until(look, f"an owner and a clock for {mail.key}")


def _became(shown: dict[str, Any]) -> list[str]:
    due = shown.get("due_at")
    account = (shown.get("account") or {}).get("name", "–")
    local = datetime.fromisoformat(due).astimezone(BERLIN).strftime("%a %H:%M") if due else "–"
    return [shown["name"], shown["stage"], shown.get("owner") or "–", account, local]


def _remember(cast: Cast, name: str, shown: dict[str, Any]) -> None:
    match name:
        case "01-plain.eml":
            cast.export = shown["name"]
        case "02-html.eml":
            cast.trial = shown["name"]
        case "08-cyrillic.eml":
            cast.letter = shown["name"]


async def _answer(world: World, teller: Teller, cast: Cast) -> dict[str, EmailMessage]:
    ours = {}
    for name, agent, text, asks in (
        (cast.export, "bruno", "We found it: reports over 1,000 rows. The fix is live now.", True),
        (cast.trial, "clara", "Yes to both. The audit log is on by default.", False),
        (cast.letter, "anna", "We have sent the confirmation again.", False),
    ):
        sent = await world.reply(name, agent, text, asks_solved=asks)
        ours[name] = sent["mail"]
        shown = await until(partial(_answered, world, name), "the end of its clock")
        met = next(c for c in shown["clocks"] if c["metric"] == "first_response")
        teller.line(
            f"{agent} answers [b]{name}[/b]: one second to undo, then it leaves by SMTP as "
            f"“{quoted(sent['mail']['Subject'])}”; stage {shown['stage']}, first response {met.get('outcome')}",
            conversation=name,
            stage=shown["stage"],
        )
    return ours


async def _answered(world: World, name: str) -> dict[str, Any] | None:
    shown = await world.conversation(name)
    return shown if shown["clocks"] and all(clock["outcome"] for clock in shown["clocks"]) else None


async def _come_back(world: World, teller: Teller, cast: Cast, ours: dict[str, EmailMessage]) -> None:
    away = answering(
        ours[cast.trial], "Ben Carver <ben@globex.example>", "I am away until Monday.", "away-1@globex.example",
        Auto_Submitted="auto-replied",
    )  # fmt: skip
    await _file(
        world, teller, away, "an out-of-office comes back: filed in the thread, it moves neither stage nor clock"
    )
    returned = bounce(ours[cast.letter], "bounce-1@vostok.example")
    await _file(world, teller, returned, "a bounce comes back: found by our own token, filed as automatic")
    solved = answering(
        ours[cast.export], "Ada Lovell <ada@acme.example>", "Yes, it works again. Thank you!", "export-3@acme.example"
    )
    await _file(world, teller, solved, "Ada answers: it is our turn again, to verify and resolve")
    await world.post(f"/api/conversations/{cast.export}/resolve", "bruno", category="confirmed")

    async def resolved() -> bool:
        return bool((await world.conversation(cast.export))["stage"] == "resolved")

    await until(resolved, "the resolution")
    teller.line(f"bruno resolves [b]{cast.export}[/b] as confirmed", conversation=cast.export)


async def _file(world: World, teller: Teller, mail: Mail, sentence: str) -> None:
    await world.mail(mail)
    shown = await world.conversation_of(mail.key)
    teller.line(f"[b]{shown['name']}[/b] {sentence}; stage {shown['stage']}", conversation=shown["name"])


async def _after_the_end(world: World, teller: Teller, cast: Cast, ours: EmailMessage) -> None:
    await world.post(f"/api/conversations/{cast.export}/archive", "bruno")

    async def archived() -> bool:
        return bool((await world.conversation(cast.export))["stage"] == "archived")

    await until(archived, "the archiving")
    again = answering(
        ours, "Ada Lovell <ada@acme.example>", "It happens again with the yearly report.", "export-4@acme.example"
    )
    await world.mail(again)
    shown = await until(lambda: _follow_up(world, cast.export, again), "the follow-up")
    teller.line(
        f"Ada answers the archived [b]{cast.export}[/b]: [b]{shown['name']}[/b] opens as its follow-up, "
        f"and goes back to {shown['owner']}",
        conversation=shown["name"],
        owner=shown["owner"],
    )


async def _follow_up(world: World, old: str, mail: Mail) -> dict[str, Any] | None:
    shown = await world.conversation_of(mail.key)
    return shown if shown["name"] != old and shown.get("owner") else None

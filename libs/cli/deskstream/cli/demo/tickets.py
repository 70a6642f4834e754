"""What the chapters about tickets share: asking the API as agents do, and looking until something holds."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

from deskstream.cli.demo.mails import Mail
from deskstream.cli.demo.world import World, until
from deskstream.cli.problem import Problem

Shown = dict[str, Any]


def insist(holds: bool, promise: str) -> None:
    """Ends the demo with an error where a promise does not hold."""
    if not holds:
        raise Problem(f"The demo found a promise broken: {promise}.")


async def asked(world: World, agent: str, path: str, **body: Any) -> Shown:
    """One command over HTTP; a refusal ends the demo."""
    answer = await world.post(path, agent, **body)
    if answer.is_error:
        raise Problem(f"POST {path} was refused: {answer.text}")
    return dict(answer.json())


async def refused(world: World, agent: str, path: str, **body: Any) -> str:
    """The sentence with which a command is refused; being obeyed ends the demo."""
    answer = await world.post(path, agent, **body)
    insist(answer.is_client_error, f"POST {path} is refused")
    return str(answer.json()["detail"])


async def shown(world: World, path: str) -> Shown:
    """What the API shows there."""
    answer = await world.api.get(path)
    answer.raise_for_status()
    return dict(answer.json())


async def arrived(world: World, mail: Mail) -> Shown:
    """The conversation that a mail opens, once it is ready to become tickets: it has an owner."""
    await world.mail(mail)

    async def look() -> Shown | None:
        found = await world.conversation_of(mail.key)
        return found if found["owner"] and found["clocks"] else None

    return await until(look, f"an owner for the conversation of {mail.key}")


async def opened(world: World, agent: str, conversation: str, **fields: Any) -> Shown:
    """A ticket from a conversation's first message; both know it of each other."""
    ticket: Shown = (await asked(world, agent, f"/api/conversations/{conversation}/tickets", **fields))["ticket"]
    await conversation_when(
        world, conversation, lambda it: ticket["id"] in [one["id"] for one in it["tickets"]], "its new ticket"
    )
    return ticket


async def ticket_when(world: World, ticket: Shown, holds: Callable[[Shown], bool], what: str) -> Shown:
    """A ticket as soon as something holds."""
    name = named("TKT", ticket)

    async def look() -> Shown | None:
        found: Shown = (await shown(world, f"/api/tickets/{name}"))["ticket"]
        return found if holds(found) else None

    return await until(look, f"{what} of {name}")


async def conversation_when(world: World, name: str, holds: Callable[[Shown], bool], what: str) -> Shown:
    """A conversation as soon as something holds."""

    async def look() -> Shown | None:
        found = await world.conversation(name)
        return found if holds(found) else None

    return await until(look, f"{what} of {name}")


async def filed(world: World, agent: str, tickets: list[Shown], **fields: Any) -> Shown:
    """An issue that these tickets wait for, as soon as they do."""
    ids = [ticket["id"] for ticket in tickets]
    issue: Shown = (await asked(world, agent, "/api/issues", tickets=ids, wait=True, **fields))["issue"]
    for ticket in tickets:
        await ticket_when(world, ticket, lambda it: it["stage"] == "on_hold", "the wait for its issue")

    async def look() -> bool:
        found = await shown(world, f"/api/issues/{named('ISS', issue)}")
        return bool(found["issue"]["weight"]["tickets"] == len(tickets))

    await until(look, "the weight of the issue")
    return issue


async def mails_to(world: World, address: str, *, since: int, count: int = 1) -> list[EmailMessage]:
    """What a customer's mail server received for somebody, after the first `since` mails for anybody."""

    async def look() -> list[EmailMessage] | None:
        found = [one.message for one in world.customers.mails[since:] if address in one.recipients]
        return found if len(found) >= count else None

    return await until(look, f"{count} mails for {address}")


def text_of(mail: EmailMessage) -> str:
    """What somebody reads in it."""
    body = mail.get_body(("plain",))
    return str(body.get_content()) if body else ""


def first_line(mail: EmailMessage) -> str:
    """The beginning of what somebody reads in it."""
    return text_of(mail).strip().partition("\n")[0]


def in_thread_of(mail: EmailMessage, key: str) -> bool:
    """Whether a mail program shows it below the mail of that Message-ID."""
    return f"<{key}>" in f"{mail['In-Reply-To']} {mail['References']}"


def named(prefix: str, found: Shown) -> str:
    """`TKT-7`."""
    return f"{prefix}-{found['number']}"

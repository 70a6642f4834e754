"""From the names that people give to the ids that services ask for."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import UUID

from deskstream.cli.asking import Client, ask
from deskstream.cli.problem import misused
from deskstream.cli.work.names import number_of
from deskstream.contracts.conversation import FindConversation
from deskstream.contracts.crm import FindAccount
from deskstream.contracts.issues import FindIssue
from deskstream.contracts.part_commands import FindPart

NAME_TO: Final = 200
"""Characters: no account has a longer name."""

Find = Callable[[Client, str], Awaitable[dict[str, Any]]]


async def _part(client: Client, name: str) -> dict[str, Any]:
    return dict((await ask(client, FindPart(number=number_of(name, "part"))))["part"])


async def _issue(client: Client, name: str) -> dict[str, Any]:
    return dict((await ask(client, FindIssue(number=number_of(name, "issue"))))["issue"])


async def _conversation(client: Client, name: str) -> dict[str, Any]:
    found = await ask(client, FindConversation(number=number_of(name, "conversation")))
    return dict(found["conversation"])


async def _account(client: Client, name: str) -> dict[str, Any]:
    """By number, else by the name that it has. Raises Problem for what is too long to be one."""
    if len(name) > NAME_TO:
        raise misused(f"{name[:40]!r}… names no account: no name has more than {NAME_TO} characters.")
    if name.upper().startswith("ACC-") or name.isdigit():
        return await ask(client, FindAccount(number=str(number_of(name, "account"))))
    return await ask(client, FindAccount(name=name))


_FIND: Final[Mapping[str, Find]] = {
    "part": _part,
    "issue": _issue,
    "conversation": _conversation,
    "account": _account,
}


async def ids_of(client: Client, names: Mapping[str, str | None]) -> dict[str, UUID]:
    """`{"part": "PART-4"}` -> `{"part_id": …}`; what is not named is left out.

    Raises Problem for what names nothing.
    """
    return {
        f"{kind}_id": UUID((await _FIND[kind](client, name))["id"]) for kind, name in names.items() if name is not None
    }

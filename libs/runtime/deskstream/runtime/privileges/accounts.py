"""The broker's accounts: the desk's with the streams, and walls around those who have one of their own.

Made of the same allow lists: what such a user may publish it imports from whoever takes it, and what it may hear from
whoever says it. So an answer that it wants on another subject ends within its own walls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from deskstream.contracts import subjects
from deskstream.messaging.accounts import ABOUT_ONESELF, API, API_FROM_APART, DESK
from deskstream.messaging.permissions import Permissions, inbox_of

Settings: TypeAlias = dict[str, Any]

_ANSWERED_OFTEN: Final = (f"{API}.CONSUMER.MSG.NEXT.", f"{API}.DIRECT.GET.")
"""Of these one question may have many answers."""


def accounts(users: Sequence[Permissions], admitted: Mapping[str, Settings]) -> dict[str, Settings]:
    """`admitted` says of each user with what key he comes and what he may."""
    apart = {user.user: user for user in users if user.apart}
    services, streams = _Exports(), _Exports()
    imports = {name: list(_imports(user, users, apart, services, streams)) for name, user in apart.items()}
    doors = [_import("service", name, subjects.commands_of(name)) for name in apart]
    for name in apart:
        services.allow(name, subjects.commands_of(name), DESK)
    at_desk = [admitted[user.user] for user in users if not user.apart]
    walled = {
        name: {"users": [admitted[name]], "exports": _exports(name, services, streams), "imports": imports[name]}
        for name in apart
    }
    desk = {"jetstream": "enabled", "users": at_desk, "exports": _exports(DESK, services, streams), "imports": doors}
    return {DESK: desk, **walled}


class _Exports:
    """What an account gives, and to whom: (account, subject) -> accounts."""

    def __init__(self) -> None:
        self._allowed: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    def allow(self, account: str, subject: str, to: str) -> None:
        self._allowed[account, subject].append(to)

    def of(self, account: str) -> Iterator[tuple[str, list[str]]]:
        """In order, so that the same declarations make the same configuration."""
        for (owner, subject), allowed in sorted(self._allowed.items()):
            if owner == account:
                yield subject, sorted(allowed)


def _imports(
    user: Permissions,
    users: Sequence[Permissions],
    apart: Mapping[str, Permissions],
    services: _Exports,
    streams: _Exports,
) -> Iterator[Settings]:
    for subject in _beyond(user, user.publish):
        at_owner = _at_owner(subject)
        kind, _, rest = subject.partition(".")
        asked = rest.partition(".")[0] if kind == subjects.COMMANDS else ""
        owner = asked if asked in apart else DESK
        services.allow(owner, at_owner, user.user)
        yield _import("service", owner, at_owner) | ({"to": subject} if subject != at_owner else {})
    for subject in _beyond(user, user.subscribe):
        # What others publish into the desk's account from their own is heard in theirs only.
        for owner in (DESK, *(one.user for one in users if one.apart and one is not user and _says(one, subject))):
            streams.allow(owner, subject, user.user)
            yield _import("stream", owner, subject)


def _beyond(user: Permissions, named: Iterable[str]) -> Iterator[str]:
    """What is not within its own account anyway."""
    own = {ABOUT_ONESELF, inbox_of(user.user), subjects.commands_of(user.user)}
    prefix = subjects.commands_of(user.user).removesuffix(">")
    return (subject for subject in named if subject not in own and not subject.startswith(prefix))


def _at_owner(subject: str) -> str:
    """As the account that has the streams calls it."""
    if subject.startswith(f"{API_FROM_APART}."):
        return f"{API}{subject.removeprefix(API_FROM_APART)}"
    return subject


def _says(user: Permissions, subject: str) -> bool:
    return any(subject == said or (said.endswith(".>") and subject.startswith(said[:-1])) for said in user.publish)


def _import(kind: str, account: str, subject: str) -> Settings:
    return {kind: {"account": account, "subject": subject}}


def _exports(account: str, services: _Exports, streams: _Exports) -> list[Settings]:
    return [
        *(_service(subject, allowed) for subject, allowed in services.of(account)),
        *({"stream": subject, "accounts": allowed} for subject, allowed in streams.of(account)),
    ]


def _service(subject: str, allowed: Sequence[str]) -> Settings:
    often = {"response_type": "stream"} if subject.startswith(_ANSWERED_OFTEN) else {}
    return {"service": subject, "accounts": list(allowed), **often}

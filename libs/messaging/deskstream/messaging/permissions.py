"""Who may publish and hear what at the broker, made from the declarations: allow lists; what is not named is denied.

Subjects of the broker's own: NATS ADR-2 (JetStream API), ADR-15 (acknowledgements, with and without domain).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from deskstream.contracts import subjects
from deskstream.contracts.ingest import TOLD_TO_ADAPTERS
from deskstream.contracts.journal import ReadHeads, ReadJournal
from deskstream.messaging.accounts import ABOUT_ONESELF, API, API_FROM_APART
from deskstream.messaging.declare import Declaration
from deskstream.messaging.topology import completed, stream_of

OPERATOR: Final = "operator"
"""Whoever holds this user's seed runs the desk: makes streams, asks every service, publishes again what was lost."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """One user of the broker."""

    user: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    answers: bool = False
    """Whether it may answer, once each, what it was asked."""
    apart: bool = False
    """Whether it has an account of its own, which bears its name."""


class Apart(StrEnum):
    """Who has an account of his own, so that what the broker answers him reaches nothing else either."""

    ADAPTERS = "adapters"
    """Those who take in what strangers wrote; a message costs the broker no more than before within the desk."""
    EVERYBODY = "everybody"


def permissions(
    services: Sequence[Declaration], adapters: Sequence[Declaration] = (), apart: Apart = Apart.ADAPTERS
) -> list[Permissions]:
    """Of every service, of the adapters whose code is elsewhere, and of the operator; each with an inbox of its own."""
    everybody = completed([*services, *adapters])
    elsewhere = {adapter.name for adapter in adapters}
    users = list[Permissions]()
    for one in everybody:
        user = of_adapter(one) if one.name in elsewhere else of_service(one)
        users.append(_set_apart(user) if apart is Apart.EVERYBODY or _takes_in(one) else user)
    return [*users, of_operator()]


def _takes_in(service: Declaration) -> bool:
    return any(lane.startswith(f"{subjects.INBOUND}.") for lane in service.says)


def _set_apart(user: Permissions) -> Permissions:
    publish = (
        f"{API_FROM_APART}{subject.removeprefix(API)}" if subject.startswith(f"{API}.") else subject
        for subject in user.publish
    )
    return replace(user, publish=_listed(publish), apart=True)


def of_service(service: Declaration) -> Permissions:
    """What a service needs for what it declares that it hears, says and calls."""
    own = subjects.commands_of(service.name)
    publish = [
        *(subjects.all_of(lane) for lane in service.says),
        *(subject for lane in service.says for subject in _looking_at(lane)),
        *(subject for lane in service.hears for subject in _hearing(lane, service.name)),
        *(kind.command_subject() for kind in service.calls),
        own,
        subjects.probe(service.name),
        ABOUT_ONESELF,
    ]
    return Permissions(service.name, _listed(publish), _listed([inbox_of(service.name), own]), answers=True)


def of_adapter(adapter: Declaration) -> Permissions:
    """The same for an adapter in another language, which may hear without a durable, and what became of messages."""
    like_ours = of_service(adapter)
    heard = [subjects.all_of(lane) for lane in adapter.hears]
    told = [subjects.all_of(f"{kind.LANE}.{kind.NAME}") for kind in TOLD_TO_ADAPTERS]
    return replace(like_ours, subscribe=_listed([*like_ours.subscribe, *heard, *told]))


def of_operator() -> Permissions:
    """What the commands of `deskstream` need. It cannot publish into anybody's inbox, so it answers for nobody."""
    everything = [subjects.all_of(kind) for kind in (subjects.INBOUND, subjects.EVENTS, subjects.OUTBOUND)]
    publish = [
        *everything,
        subjects.all_of(subjects.COMMANDS),
        subjects.all_of(subjects.PROBES),
        "$JS.API.>",
        "$JS.ACK.>",
        ABOUT_ONESELF,
    ]
    subscribe = [*everything, "_INBOX.>", inbox_of(OPERATOR), "$JS.EVENT.ADVISORY.>"]
    return Permissions(OPERATOR, _listed(publish), _listed(subscribe))


def inbox_prefix(user: str) -> str:
    """Where answers to a user go, and nobody else's: the client's `inbox_prefix`."""
    return f"_INBOX_{user}"


def inbox_of(user: str) -> str:
    """Everything that comes to a user's inboxes."""
    return f"{inbox_prefix(user)}.>"


def _hearing(lane: str, reader: str) -> Iterator[str]:
    yield from _reading(lane, reader)
    if lane == subjects.INBOUND:
        # The order of arrival is the stream's: its one reader fetches what a crash made come late.
        yield f"$JS.API.DIRECT.GET.{stream_of(lane)}"
        return
    yield f"$JS.API.STREAM.INFO.{stream_of(lane)}"
    for kind in (ReadJournal, ReadHeads):
        yield subjects.question(subjects.owner_of(lane), kind.NAME, lane)


def _reading(lane: str, reader: str) -> Iterator[str]:
    """Its own durable's messages, and their acknowledgements."""
    stream = stream_of(lane)
    yield f"$JS.API.CONSUMER.INFO.{stream}.{reader}"
    yield f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{reader}"
    yield f"$JS.ACK.{stream}.{reader}.>"
    yield f"$JS.ACK.*.*.{stream}.{reader}.>"


def _looking_at(lane: str) -> Iterator[str]:
    """Where its own stream stands, so that a writer sees whether stream and journal fit each other."""
    stream = stream_of(lane)
    if lane.startswith(f"{subjects.INBOUND}."):
        # All adapters share this stream: the last message of its own subjects is all that one may see.
        yield f"$JS.API.DIRECT.GET.{stream}.{subjects.all_of(lane)}"
        return
    yield f"$JS.API.STREAM.INFO.{stream}"
    yield f"$JS.API.STREAM.MSG.GET.{stream}"
    yield f"$JS.API.DIRECT.GET.{stream}"


def _listed(subjects_named: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(subjects_named)))

"""Retrying and dropping, each in its service's schema."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from deskstream.cli.database import Connection, schema
from deskstream.cli.letters.finding import Found
from deskstream.messaging import dead_letters
from deskstream.messaging.dead_letters import Author, NotDropped


@dataclass(frozen=True, slots=True)
class Mended:
    """What was done about one, or why nothing was."""

    found: Found
    done: bool
    why_not: str = ""


async def retry_all(connection: Connection, chosen: Sequence[Found]) -> list[Mended]:
    """Has them tried at once, and again as often as a new message."""
    mended = []
    for service, found in groupby(sorted(chosen, key=lambda one: one.service), key=lambda one: one.service):
        ours = list(found)
        async with schema(connection, service) as tx:
            retried = await dead_letters.retry(tx, [one.letter for one in ours])
        mended += [Mended(one, one.letter.message_id in retried, "It is being handled just now.") for one in ours]
    return mended


async def drop_all(connection: Connection, chosen: Sequence[Found], author: Author) -> list[Mended]:
    """Drops them, those of one key in their order; each stands in the service's `dropped` afterwards."""
    ordered = sorted(chosen, key=lambda one: (one.service, one.letter.lane, one.letter.key, one.letter.sequence))
    return [await _drop(connection, one, author) for one in ordered]


async def _drop(connection: Connection, found: Found, author: Author) -> Mended:
    try:
        async with schema(connection, found.service) as tx:
            await dead_letters.drop(tx, found.letter, author)
    except NotDropped as no:
        return Mended(found, done=False, why_not=str(no))
    return Mended(found, done=True)

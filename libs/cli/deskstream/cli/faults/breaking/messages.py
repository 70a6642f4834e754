"""Faults that come in as messages."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from nats.errors import Error as NatsError

from deskstream.cli.faults.breaking.kind import Spared
from deskstream.cli.faults.breaking.victims import Planted, Victims
from deskstream.cli.faults.record import PLANTED
from deskstream.contracts import Event
from deskstream.contracts.conversation import ConversationOpened
from deskstream.contracts.crm import SenderIdentified
from deskstream.contracts.envelope import HEADER_ID, HEADER_SEQUENCE, HEADER_TYPE, event_type
from deskstream.contracts.ingest import MessageReceived

BODIES = (b"", b"no JSON", b"[1, 2", b'{"specversion": "1.0"}', b"\xff\xfe\x00")
READERS: tuple[tuple[type[Event], str], ...] = (
    (MessageReceived, "crm"),
    (SenderIdentified, "conversation"),
    (ConversationOpened, "routing"),
)
COPIES = 1000


async def unreadable_events(victims: Victims) -> str:
    """One for each of three services, under keys of their own: kept by them, in nobody's way."""
    before = len(victims.planted)
    for kind, reader in READERS:
        key = f"{PLANTED}-{victims.chance.getrandbits(32):08x}"
        if await _plant(victims, kind, key):
            victims.planted.append(Planted(reader, key))
    planted = len(victims.planted) - before
    if not planted:
        raise Spared("the broker took no event that nobody can read")
    return f"{planted} events that nobody can read"


async def _plant(victims: Victims, kind: type[Event], key: str) -> bool:
    headers = {
        HEADER_ID: str(UUID(int=victims.chance.getrandbits(128))),
        HEADER_TYPE: event_type(kind),
        HEADER_SEQUENCE: "1",
    }
    body = victims.chance.choice(BODIES)
    with suppress(NatsError, OSError):
        await victims.client.jetstream().publish(f"{kind.LANE}.{kind.NAME}.{key}", body, headers=headers, timeout=5.0)
        return True
    return False


async def flood_of_copies(victims: Victims) -> str:
    """The same mail so many times at once: one effect."""
    await victims.publisher.flood(COPIES)
    return f"one mail came {COPIES} times at once"

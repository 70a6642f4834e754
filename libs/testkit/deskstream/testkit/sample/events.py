"""Events of `counting` as its publisher would send them, for tests that play the broker."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import NAMESPACE_OID, uuid5

from nats.aio.client import Client

from deskstream.contracts.envelope import HEADER_ID, HEADER_SEQUENCE, HEADER_TYPE, Stamp, encode, event_type
from deskstream.testkit.sample.services import Counted

AT = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


def counted(counter: str, number: int, note: str = "") -> tuple[str, bytes, dict[str, str]]:
    """(subject, body, headers) of the event with this sequence."""
    event = Counted(at=AT, counter=counter, number=number, note=note)
    identity = uuid5(NAMESPACE_OID, f"{counter}/{number}")
    stamp = Stamp(identity, number, correlation=identity, causation=identity, actor=None, at=AT)
    headers = {HEADER_ID: str(identity), HEADER_TYPE: event_type(event), HEADER_SEQUENCE: str(number)}
    return event.subject(), encode(event, stamp).encode(), headers


async def publish(broker: Client, events: Iterable[tuple[str, bytes, dict[str, str]]]) -> None:
    """Publishes them as they are, each acknowledged; nothing is deduplicated by the broker."""
    stream = broker.jetstream()
    for subject, body, headers in events:
        await stream.publish(subject, body, headers=headers)

"""What the broker has counted: deliveries of each reader's durables, and the events of all streams."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from nats.aio.client import Client

INBOUND = "INBOUND"


@dataclass(frozen=True, slots=True)
class Counts:
    """Deliveries by reader, and how many events the streams took (what adapters publish is none)."""

    handlings: Counter[str]
    events: int

    @property
    def all_handlings(self) -> int:
        """Of all readers together."""
        return self.handlings.total()

    def since(self, earlier: Counts) -> Counts:
        """What came between the two."""
        return Counts(self.handlings - earlier.handlings, self.events - earlier.events)


async def counted(client: Client) -> Counts:
    """The counts up to now, of all streams there are."""
    manager = client.jsm()
    handlings, events = Counter[str](), 0
    for stream in await manager.streams_info():
        name = stream.config.name or ""
        for consumer in await manager.consumers_info(name):
            assert consumer.delivered is not None
            handlings[consumer.name] += consumer.delivered.consumer_seq
        if name != INBOUND:
            events += stream.state.last_seq
    return Counts(handlings, events)

"""What the broker and the callers of commands hear of items: done, or that they must come again."""

from collections.abc import Iterable, Sequence

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from deskstream.contracts import Answered, Problem
from deskstream.messaging.frames import ACK, answer_frame, write
from deskstream.messaging.item import Item
from deskstream.messaging.suspects import Suspects

log = structlog.get_logger()

UNAVAILABLE = Answered(
    ok=False,
    error=Problem(code="unavailable", sentence="The service cannot do this just now. Try again in a moment."),
).model_dump_json()


class Acknowledging:
    """Answers the broker's deliveries on one connection."""

    def __init__(self, suspects: Suspects) -> None:
        self._suspects = suspects
        self._client: Client | None = None

    def connect(self, client: Client) -> None:
        """Acknowledgements go out on this connection."""
        self._client = client

    async def acknowledge(self, items: Sequence[Item]) -> None:
        """Also after a failed publish of the acknowledgement nothing is wrong: progress knows the message."""
        self._suspects.handled(items)
        await self._answer([answer_frame(item.ack, ACK) for item in items if item.ack])

    async def hand_back(self, items: Iterable[Item]) -> None:
        """What was taken in and came to no end: the broker gets its messages again, callers hear to come back."""
        for item in items:
            if item.future is not None and not item.future.done():
                item.future.set_result(UNAVAILABLE)
            pause = self._suspects.handed_back(item)
            if item.ack:
                await self._answer([answer_frame(item.ack, b'-NAK {"delay": %d}' % int(pause * 1e9))])

    async def _answer(self, frames: Sequence[bytes]) -> None:
        assert self._client is not None
        if not frames:
            return
        try:
            await write(self._client, frames)
        except NatsError as error:
            log.debug("ack_lost", reason=repr(error))

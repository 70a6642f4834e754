"""What a stream holds, read without a consumer: services may make none. Protocol: NATS ADR-31 (batches)."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from deskstream.contracts import subjects
from deskstream.contracts.envelope import HEADER_SEQUENCE
from deskstream.messaging.accounts import api_of

ANSWER_WITHIN_S: Final = 5.0
PAGE: Final = 1000
"""The server gives no more messages for one request."""
LATE_FOLLOWER_S: Final = 0.3
PATIENCE: Final = 10

_NO_STREAM: Final = 10059


@dataclass(frozen=True, slots=True)
class StreamState:
    """What the server says of a stream. It is empty when `first` is beyond `last`."""

    name: str
    created: str
    """The server's own notation: the same for the same stream only."""
    first: int
    last: int
    messages: int
    kept: timedelta | None
    """How long it keeps a message; None for ever."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One message of a stream. `message_id` is None for what nobody of ours published."""

    position: int
    subject: str
    message_id: UUID | None
    sequence: int
    """Within its key; 0 where nothing is numbered."""
    at: datetime
    """When the broker took it, by the broker's clock."""
    body: bytes

    @property
    def key(self) -> str:
        return subjects.key_of(self.subject)


async def state_of(client: Client, stream: str) -> StreamState | None:
    """None when there is no such stream. Raises a NATS error or `TimeoutError` when nobody can say."""
    answer = await client.request(f"{api_of(client)}.STREAM.INFO.{stream}", b"", timeout=ANSWER_WITHIN_S)
    about: dict[str, Any] = json.loads(answer.data)
    if error := about.get("error"):
        if error.get("err_code") == _NO_STREAM:
            return None
        raise NatsError(f"{stream}: {error.get('description')}")
    state, kept = about["state"], about["config"].get("max_age", 0)
    return StreamState(
        name=stream, created=about["created"], first=state["first_seq"], last=state["last_seq"],
        messages=state["messages"], kept=timedelta(microseconds=kept / 1000) if kept else None,
    )  # fmt: skip


async def last_of(client: Client, stream: str, subject: str) -> Stored | None:
    """The last message on a subject, which may have wildcards."""
    answer = await client.request(f"{api_of(client)}.DIRECT.GET.{stream}.{subject}", b"", timeout=ANSWER_WITHIN_S)
    headers = answer.headers or {}
    if headers.get("Status") == "404":
        return None
    if "Nats-Sequence" not in headers:
        raise NatsError(f"{stream} did not give its last message on {subject}: {dict(headers)}")
    return _stored(answer, headers)


async def stored(client: Client, state: StreamState, first: int, *, within: str = ">") -> AsyncIterator[list[Stored]]:
    """Pages of the messages from a position to the last one that `state` knows, those on `within` only."""
    inbox, arrived = client.new_inbox(), asyncio.Queue[Msg]()
    subscription = await client.subscribe(inbox, cb=arrived.put, pending_bytes_limit=0)
    position, patience = max(first, state.first), PATIENCE
    try:
        while position <= state.last and state.messages:
            asked = {"seq": position, "batch": PAGE, "next_by_subj": within}
            await client.publish(f"{api_of(client)}.DIRECT.GET.{state.name}", json.dumps(asked).encode(), reply=inbox)
            page, end = await _page(arrived)
            if page:
                yield [message for message in page if message.position <= state.last]
                position = page[-1].position + 1
            elif end == "404" and within != ">":
                return
            elif patience := patience - 1:
                # Another member of the cluster answered, which does not have it yet.
                await asyncio.sleep(LATE_FOLLOWER_S)
            else:
                raise NatsError(f"{state.name} does not give its messages from {position} on")
    finally:
        await subscription.unsubscribe()


async def _page(arrived: "asyncio.Queue[Msg]") -> tuple[list[Stored], str]:
    page = list[Stored]()
    while True:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            message = await arrived.get()
        headers = message.headers or {}
        if "Nats-Sequence" not in headers:
            return page, headers.get("Status", "503")
        page.append(_stored(message, headers))


def _stored(message: Msg, headers: Mapping[str, str]) -> Stored:
    number = headers.get(HEADER_SEQUENCE, "")
    return Stored(
        position=int(headers["Nats-Sequence"]),
        subject=headers["Nats-Subject"],
        message_id=_uuid(headers.get("Nats-Msg-Id")),
        sequence=int(number) if number.isascii() and number.isdigit() and len(number) < 19 else 0,
        at=_moment(headers["Nats-Time-Stamp"]),
        body=message.data,
    )


def _moment(text: str) -> datetime:
    """RFC 3339 in UTC, with up to nine decimals; the seconds will do."""
    return datetime.fromisoformat(text.removesuffix("Z").partition(".")[0]).replace(tzinfo=UTC)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None

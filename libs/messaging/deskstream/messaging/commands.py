"""Commands over NATS: received by FastStream, run in the service's batches, answered after commit; and asked."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final, TypeVar
from uuid import uuid4

import asyncpg
import structlog
from faststream.nats import NatsBroker, NatsMessage
from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError
from pydantic import ValidationError

from deskstream.contracts import Answered, Command, Problem, Refused, subjects
from deskstream.contracts.health import HealthRead, ReadHealth
from deskstream.contracts.journal import OfLane, ReadHeads, ReadJournal
from deskstream.messaging import journal
from deskstream.messaging.acknowledging import UNAVAILABLE
from deskstream.messaging.declare import RequestKey
from deskstream.messaging.fates import is_transient
from deskstream.messaging.item import Item, Source
from deskstream.messaging.runner import Runner
from deskstream.messaging.trace_context import HEADER, callers_context, context_in
from deskstream.messaging.wiring import Wiring

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
REQUEST_DIGEST: Final = "Request-Digest"
ACTOR: Final = "Actor"
KEY_LIMIT: Final = 200
WORKERS: Final = 500
"""Commands in flight at once; they wait for their batch, not for each other."""

Asked = TypeVar("Asked", bound=OfLane)

log = structlog.get_logger()


class CommandDesk:
    """Receives a service's commands."""

    def __init__(self, wiring: Wiring, runner: Runner, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._wiring = wiring
        self._runner = runner
        self._pool = pool
        self.held_back = False
        """Whether the journal may be read, and nothing else be done."""
        self.read_health: Callable[[], Awaitable[HealthRead]] = _unknown

    def subscribe(self, broker: NatsBroker) -> None:
        """One subscriber a command, in the service's queue group; and the two that read the journal."""
        service = self._wiring.service
        subscribed = {name: subjects.command(service, name) for name in self._wiring.commands}
        subscribed[ReadHealth.NAME] = subjects.command(service, ReadHealth.NAME)
        subscribed |= {kind.NAME: subjects.question(service, kind.NAME, "*.*") for kind in (ReadJournal, ReadHeads)}
        for name, subject in subscribed.items():
            broker.subscriber(subject, queue=service, max_workers=WORKERS, title=name)(self._receive)

    async def _receive(self, message: NatsMessage) -> bytes:
        name, lane = subjects.wish_of(message.raw_message.subject)
        started = monotonic()
        answer = await self._answer_surely(name, lane, message)
        self._runner.telling.command(name, answer, monotonic() - started)
        return answer

    async def _answer_surely(self, name: str, lane: str, message: NatsMessage) -> bytes:
        try:
            return (await self._answer(name, lane, message)).encode()
        except ValidationError as error:
            return _refused("invalid_command", _first(error))
        except Refused as no:
            return _refused(no.code, no.sentence, no.details)
        except Exception as error:  # an unhandled error would leave the caller with a mere timeout
            if is_transient(error):
                return UNAVAILABLE.encode()
            log.exception("command_failed", command=name)
            return _refused("internal_error", "This failed on our side; it is logged. Try again later.")

    async def _answer(self, name: str, lane: str, message: NatsMessage) -> str:
        if name == ReadHealth.NAME:
            return Answered(ok=True, result=(await self.read_health()).model_dump()).model_dump_json()
        if name == ReadJournal.NAME:
            return await self._read(_about(lane, ReadJournal.model_validate_json(message.body)))
        if name == ReadHeads.NAME:
            return await self._heads(_about(lane, ReadHeads.model_validate_json(message.body)))
        if self.held_back:
            return UNAVAILABLE
        asked = self._wiring.commands[name].model_validate_json(message.body)
        query = self._wiring.queries.get(type(asked))
        if query is not None:
            async with self._pool.acquire() as connection:
                return Answered(ok=True, result=await query.read(connection, asked)).model_dump_json()
        headers = message.headers
        key = headers.get(IDEMPOTENCY_KEY) or str(uuid4())
        if len(key) > KEY_LIMIT:
            raise Refused("invalid_idempotency_key", f"An idempotency key has at most {KEY_LIMIT} characters.")
        return await self.ask(
            asked,
            idempotency_key=key,
            actor=headers.get(ACTOR),
            body=bytes(message.body),
            context=context_in(headers),
            request_digest=headers.get(REQUEST_DIGEST),
        )

    async def ask(
        self,
        asked: Any,
        *,
        idempotency_key: str,
        actor: str | None,
        body: bytes,
        context: str | None = None,
        request_digest: str | None = None,
    ) -> str:
        """Puts a command into the next batch; returns its answer after commit."""
        name = type(asked).__name__
        item = Item(
            source=Source.COMMAND, lane="commands", key=idempotency_key, sequence=0, type=name, subject=name,
            body=body, actor=actor, idempotency_key=idempotency_key, asked=asked, context=context,
            request_digest=request_digest,
            future=asyncio.get_running_loop().create_future(),
        )  # fmt: skip
        self._runner.offer_command(item)
        assert item.future is not None
        return await item.future

    async def _read(self, asked: ReadJournal) -> str:
        async with self._pool.acquire() as connection:
            page = await journal.read_page(connection, asked)
        return f'{{"ok":true,"result":{page}}}'

    async def _heads(self, asked: ReadHeads) -> str:
        async with self._pool.acquire() as connection:
            heads = await journal.read_heads(connection, asked)
        return Answered(ok=True, result=dict(heads)).model_dump_json()


async def call(
    client: Client,
    command: Command,
    *,
    service: str | None = None,
    idempotency_key: str | RequestKey | None = None,
    actor: str | None = None,
    within: float = 5.0,
) -> Answered:
    """Asks a service. The same idempotency key may be asked again safely.

    Raises `TimeoutError` when nobody answers within `within` seconds; a service that is just starting is waited for.
    """
    if isinstance(idempotency_key, RequestKey):
        headers = {IDEMPOTENCY_KEY: idempotency_key.key, REQUEST_DIGEST: idempotency_key.digest}
    else:
        headers = {IDEMPOTENCY_KEY: idempotency_key or str(uuid4())}
    if actor:
        headers[ACTOR] = actor
    if context := callers_context():
        headers[HEADER] = context
    subject = command.asked_of(service or command.SERVICE)
    body = command.model_dump_json(exclude_defaults=True).encode()
    deadline = monotonic() + within
    while True:
        try:
            left = deadline - monotonic()
            answer = await client.request(subject, body, timeout=max(0.05, left), headers=headers)
            return Answered.model_validate_json(answer.data)
        except NoRespondersError:
            if monotonic() > deadline:
                raise TimeoutError(f"nobody answers {subject}; is the service running?") from None
            await asyncio.sleep(0.05)
        except NatsTimeoutError:
            raise TimeoutError(f"{subject} was not answered within {within:g} s") from None


async def _unknown() -> HealthRead:
    return HealthRead(problem="still starting")


def _about(lane: str, asked: Asked) -> Asked:
    """The broker checks who may ask on a subject, and knows nothing of what is inside."""
    if asked.lane != lane:
        raise Refused("wrong_lane", f"This subject is for questions about {lane}, not about {asked.lane}.")
    return asked


def _refused(code: str, sentence: str, details: dict[str, Any] | None = None) -> bytes:
    return (
        Answered(ok=False, error=Problem(code=code, sentence=sentence, details=details or {}))
        .model_dump_json()
        .encode()
    )


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'body'}: {first['msg']}"

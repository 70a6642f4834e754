"""The one place that decides what becomes of an error: tried again, or written down as ours."""

import asyncio
import traceback
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import asyncpg
import nats.errors

MAX_TRIES: Final = 8

# 8 tries within an hour: a deploy that fixes a bug within minutes needs no hand, a poison message stops in time.
_BACKOFF: Final = tuple(timedelta(seconds=s) for s in (5, 15, 45, 120, 300, 600, 900))

_TRANSIENT: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    # Two replicas made the same object at once; the second finds it on the next try.
    asyncpg.UniqueViolationError,
    nats.errors.Error,
    ConnectionError,
    asyncio.TimeoutError,
    OSError,
)

DATABASE_UNWELL: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # Of a session that the server is just ending.
    asyncpg.InternalClientError,
)
"""What a database says that is away, that comes or goes, or that refuses."""

_FAREWELLS: Final = ("cannot switch to state", "called on a free connection holder")


class Raced(Exception):
    """Another replica created the same position first: the batch is run again on what it left."""


def is_transient(error: BaseException) -> bool:
    """Whether the world is unwell, rather than we or the message."""
    return isinstance(error, (*_TRANSIENT, Raced)) or _is_farewell(error)


def _is_farewell(error: BaseException) -> bool:
    """The server ended a session: its last words were read, the end of the connection not yet; or the end came in the
    middle of a COPY, and the pool had let go of it by itself. asyncpg has no class of its own for these moments, and
    none of its other internal errors says so."""
    return isinstance(error, asyncpg.InternalClientError) and any(word in str(error) for word in _FAREWELLS)


_OF_ONE: Final = (
    # Two items of one batch that make the same object collide every time, and pass one after the other.
    asyncpg.UniqueViolationError,
    # The statement took too long, wanted too much memory, or waited for somebody.
    asyncpg.QueryCanceledError,
    asyncpg.OutOfMemoryError,
    asyncpg.LockNotAvailableError,
)


def may_concern_one(error: BaseException) -> bool:
    """Whether a transient error that does not pass may be about one item of the batch, not about the world. When no
    fate can be written of the item alone either, it is the world's."""
    return isinstance(error, _OF_ONE)


def took_too_long(error: BaseException) -> bool:
    """Whether to do the same again at once would only take as long again."""
    return isinstance(error, asyncpg.QueryCanceledError)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a message failed: what an operator reads, and where."""

    reason: str
    handler: str
    stack: str


def failure_of(error: BaseException, handler: str) -> Failure:
    """What is written down of an error."""
    stack = "".join(traceback.format_exception(error))
    return Failure(reason=f"{type(error).__name__}: {error}"[:2000], handler=handler, stack=stack[-8000:])


def next_try_after(tries: int) -> timedelta | None:
    """How long to wait after the `tries`-th failed try; None when it is dead."""
    return None if tries >= MAX_TRIES else _BACKOFF[min(tries, len(_BACKOFF)) - 1]

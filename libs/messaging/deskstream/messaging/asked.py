"""The commands table: the same idempotency key and content get the same answer, also after a crash in between."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from deskstream.contracts import Answered, Problem
from deskstream.messaging.declare import Tx
from deskstream.messaging.item import Item, Source

_KNOWN = """
SELECT idempotency_key, request_hash, answer
FROM commands
WHERE idempotency_key = ANY($1::text[])
"""

_SAVE = """
INSERT INTO commands (idempotency_key, request_hash, answer, at)
SELECT idempotency_key, request_hash, answer, $4
FROM unnest($1::text[], $2::bytea[], $3::text[]) AS new(idempotency_key, request_hash, answer)
ORDER BY idempotency_key
"""

_FORGET = "DELETE FROM commands WHERE at < $1"

KEY_REUSED = Answered(
    ok=False,
    error=Problem(
        code="idempotency_key_reused",
        sentence="This idempotency key was used before with other content. Use a new key for a new request.",
    ),
).model_dump_json()


async def known_answers(tx: Tx, items: Sequence[Item]) -> tuple[list[Item], list[tuple[Item, str]]]:
    """Splits off commands that were answered before; `items` holds no key twice (see `repeated`)."""
    commands = [item for item in items if item.source is Source.COMMAND]
    if not commands:
        return list(items), []
    rows = await tx.fetch(_KNOWN, [item.idempotency_key for item in commands])
    known = {key: (request, answer) for key, request, answer in rows}
    fresh, answered = list[Item](), list[tuple[Item, str]]()
    for item in items:
        if item.source is Source.COMMAND and item.idempotency_key in known:
            request, answer = known[item.idempotency_key]
            answered.append((item, answer if request in (request_hash(item), _body_hash(item)) else KEY_REUSED))
        else:
            fresh.append(item)
    return fresh, answered


def repeated(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """(first copies and all else, later copies of a command in the same batch)."""
    first, later, seen = list[Item](), list[Item](), set[str]()
    for item in items:
        if item.source is Source.COMMAND and item.idempotency_key in seen:
            later.append(item)
            continue
        first.append(item)
        if item.source is Source.COMMAND:
            seen.add(item.idempotency_key)
    return first, later


async def save(tx: Tx, answers: Sequence[tuple[Item, str]], now: datetime) -> None:
    """Keeps the answers; a concurrent copy in another replica runs into the key and is tried again."""
    if answers:
        await tx.execute(
            _SAVE,
            [item.idempotency_key for item, _ in answers],
            [request_hash(item) for item, _ in answers],
            [answer for _, answer in answers],
            now,
        )


async def forget(tx: Tx, before: datetime) -> None:
    """Answers older than `before` are no longer repeated."""
    await tx.execute(_FORGET, before)


def request_hash(item: Item) -> bytes:
    """What tells a repeated command from another one under the same key."""
    if item.request_digest is None:
        return _body_hash(item)
    return sha256(f"{item.subject}\n\n{item.request_digest}".encode()).digest()


def _body_hash(item: Item) -> bytes:
    return sha256(item.subject.encode() + b"\n" + item.body).digest()

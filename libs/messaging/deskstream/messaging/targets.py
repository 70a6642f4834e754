"""From an item's bytes to what each of its handlers gets: decoded, resolved, with its aggregate and key."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from deskstream.contracts import Event
from deskstream.contracts.envelope import CloudEvent, Unreadable, decode
from deskstream.messaging.declare import Aggregate, Answer, Due, Heard, Hears, On, Raw, Tx
from deskstream.messaging.item import RAW_IDS, RAW_TYPE, Item, Source
from deskstream.messaging.trace_context import valid_context
from deskstream.messaging.wiring import Wiring


@dataclass(slots=True)
class Target:
    """One handler's view of one item. `aggregate` is None for projections and deliveries."""

    handler: Hears | Answer | None
    aggregate: Aggregate | None
    key: str
    message: Any


def command_id(idempotency_key: str) -> UUID:
    """The cause id of a command: the same key is the same cause."""
    return uuid5(RAW_IDS, idempotency_key)


def hear(item: Item, wiring: Wiring, now: datetime) -> Heard[Any]:
    """Decodes an item. Raises `Unreadable` when its bytes or headers are not what they say."""
    if item.source is Source.TIMER:
        # A timer may be set to the same moment again, once that has passed: what is said then is something else.
        return _heard(item, Due(now), now, item.id or uuid5(RAW_IDS, f"{item.type}/{item.key}/{item.due_at}/{now}"))
    if item.source is Source.COMMAND:
        return _heard(item, item.asked, now, command_id(item.idempotency_key))
    if item.type == RAW_TYPE:
        assert item.id is not None
        return _heard(item, Raw(item.subject, item.body), now, item.id)
    return _of_event(item, decode(wiring.kinds[item.type], item.body))


def _of_event(item: Item, event: CloudEvent[Event]) -> Heard[Any]:
    if event.type != item.type or event.sequence != item.sequence or item.sequence < 1:
        raise Unreadable(f"headers say {item.type} {item.sequence}, the body {event.type} {event.sequence}")
    if event.id != item.id or event.data.lane() != item.lane or event.data.key() != item.key:
        raise Unreadable(f"published on {item.subject}, but it is about {event.data.lane()} {event.data.key()}")
    return Heard(
        id=event.id,
        data=event.data,
        at=event.time,
        actor=event.actor,
        lane=item.lane,
        key=item.key,
        sequence=item.sequence,
        correlation=event.correlationid,
        body=item.body.decode(),
        context=event.traceparent and valid_context(event.traceparent),
    )


def _heard(item: Item, data: Any, now: datetime, cause: UUID) -> Heard[Any]:
    return Heard(
        id=cause, data=data, at=now, actor=item.actor, lane=item.lane, key=item.key, sequence=0, correlation=cause,
        context=item.context,
    )  # fmt: skip


def targets_of(item: Item, wiring: Wiring) -> list[Target]:
    """What each handler gets, but for those that look something up first (`resolve`): they get None for now."""
    heard = item.heard
    assert heard is not None
    if item.source is Source.TIMER:
        return [Target(None, wiring.aggregates[item.type], item.key, heard.data)]
    if item.source is Source.COMMAND:
        return [_target(wiring.answers[type(item.asked)], heard)]
    return [_target(handler, heard) for handler in wiring.hears[item.type]]


def _target(handler: Hears | Answer, heard: Heard[Any]) -> Target:
    aggregate: Aggregate | None = getattr(handler, "aggregate", None)
    if aggregate is None or _resolver(handler):
        return Target(handler, aggregate, "", heard.data)
    becomes = getattr(handler, "becomes", None)
    message = becomes(heard) if becomes else heard.data
    return Target(handler, aggregate, str(handler.key(message)), message)  # type: ignore[union-attr]


async def resolve(tx: Tx, work: Sequence[tuple[Item, list[Target]]], now: datetime) -> None:
    """Runs each handler's set-based look-up once for the whole batch and gives every target its message and key."""
    for handler, found in _by_resolver(work).items():
        looked_up = _resolver(handler)
        assert looked_up is not None
        messages = await looked_up(tx, [heard for heard, _ in found], now)
        for (_, target), message in zip(found, messages, strict=True):
            target.message = message
            target.key = str(handler.key(message))


def _by_resolver(
    work: Iterable[tuple[Item, list[Target]]],
) -> dict[On | Answer, list[tuple[Heard[Any], Target]]]:
    grouped: dict[On | Answer, list[tuple[Heard[Any], Target]]] = {}
    for item, targets in work:
        for target in targets:
            if isinstance(target.handler, (On, Answer)) and target.handler.resolve and item.heard:
                grouped.setdefault(target.handler, []).append((item.heard, target))
    return grouped


def _resolver(handler: Hears | Answer) -> Any:
    return handler.resolve if isinstance(handler, (On, Answer)) else None

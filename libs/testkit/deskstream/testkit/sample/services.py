"""`counting` answers `Count` and says `Counted`; `summing` hears it, can be made to fail, and can be woken."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

from pydantic_settings import BaseSettings

from deskstream.contracts import Command, Event, Refused
from deskstream.messaging import Aggregate, Answer, Declaration, Due, On, Service, Tx


class Counted(Event, lane="events.counting", key="counter"):
    counter: str
    number: int
    note: str = ""


class Count(Command, service="counting"):
    counter: str
    times: int = 1
    note: str = ""


class Added(Event, lane="events.summing", key="counter"):
    counter: str
    number: int
    note: str = ""


class WakeSet(Event, lane="events.summing", key="counter"):
    counter: str
    until: datetime | None = None


class Woken(Event, lane="events.summing", key="counter"):
    counter: str
    late_ms: float


class Wake(Command, service="summing"):
    """Asks to be woken after so many milliseconds; 0 cancels."""

    counter: str
    after_ms: int


@dataclass(frozen=True, slots=True)
class Counter:
    id: str
    total: int = 0
    last: int = 0
    wake: datetime | None = None


POISON: set[str] = set()
"""Notes, and counters to be woken, on which summing fails; the fix is to take one out."""

KILLER = "killer"
"""A note at which the process of summing ends, as if a library had crashed."""


def count(counter: Counter, asked: Count, now: datetime) -> Sequence[Event]:
    if asked.note == "refuse":
        raise Refused("not_today", "Not today; count another day.", counter=counter.id)
    first = counter.total + 1
    return [
        Counted(at=now, counter=counter.id, number=number, note=asked.note)
        for number in range(first, first + asked.times)
    ]


def add(counter: Counter, message: Any, now: datetime) -> Sequence[Event]:
    match message:
        case Counted():
            if message.note == KILLER:
                os._exit(1)
            if message.note in POISON:
                raise RuntimeError(f"cannot add {message.note}")
            return [Added(at=now, counter=counter.id, number=message.number, note=message.note)]
        case Wake():
            until = now + timedelta(milliseconds=message.after_ms) if message.after_ms else None
            return [WakeSet(at=now, counter=counter.id, until=until)]
        case Due() if counter.id in POISON:
            raise RuntimeError(f"cannot wake {counter.id}")
        case Due() if counter.wake and counter.wake <= now:
            return [Woken(at=now, counter=counter.id, late_ms=(now - counter.wake).total_seconds() * 1000)]
    return []


def evolve(counter: Counter, event: Any) -> Counter:
    match event:
        case Counted() | Added():
            return replace(counter, total=counter.total + 1, last=event.number)
        case WakeSet():
            return replace(counter, wake=event.until)
        case Woken():
            return replace(counter, wake=None)
    return counter


async def load(tx: Tx, keys: Sequence[str]) -> dict[str, Counter]:
    rows = await tx.fetch(
        "SELECT id, total, last, wake FROM counters WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE", keys
    )
    known = {row["id"]: Counter(row["id"], row["total"], row["last"], row["wake"]) for row in rows}
    return {key: known.get(key, Counter(key)) for key in keys}


async def save(tx: Tx, counters: Sequence[Counter]) -> None:
    await tx.execute(
        """
        INSERT INTO counters (id, total, last, wake)
        SELECT id, total, last, wake
        FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::timestamptz[]) AS new(id, total, last, wake)
        ON CONFLICT (id) DO UPDATE
        SET total = excluded.total, last = excluded.last, wake = excluded.wake
        """,
        [c.id for c in counters],
        [c.total for c in counters],
        [c.last for c in counters],
        [c.wake for c in counters],
    )


class NoSettings(BaseSettings):
    """They need none."""


COUNTERS = Aggregate("counters", load, save, count, evolve)
SUMS = Aggregate("sums", load, save, add, evolve, due=lambda counter: counter.wake)

MIGRATIONS = files("deskstream.testkit.sample") / "migrations"

COUNTING = Declaration(
    name="counting",
    settings=NoSettings,
    build=lambda settings: Service(
        hears=(),
        answers=[Answer(Count, COUNTERS, key=lambda c: c.counter, result=lambda state, said: {"total": state.total})],
    ),
    migrations=MIGRATIONS,
    says=("events.counting",),
)

SUMMING = Declaration(
    name="summing",
    settings=NoSettings,
    build=lambda settings: Service(
        hears=[On(Counted, SUMS, key=lambda said: said.counter)],
        answers=[Answer(Wake, SUMS, key=lambda asked: asked.counter)],
    ),
    migrations=MIGRATIONS,
    hears=("events.counting",),
    says=("events.summing",),
    calls=(Count,),
)

"""`orders` hears what customers write and notes the numbers of their orders."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files

from pydantic_settings import BaseSettings

from deskstream.contracts import Event
from deskstream.contracts.conversation import ConversationOpened, CustomerReplied
from deskstream.messaging import Absorb, Aggregate, Declaration, Service, Tx

NAME = "orders"

_NAMED = re.compile(r"\border no\. (\S+)")


@dataclass(frozen=True, slots=True)
class Orders:
    """What one conversation is about."""

    conversation_id: str
    numbers: tuple[str, ...] = ()


class NoSettings(BaseSettings):
    """It needs none."""


async def load(tx: Tx, ids: Sequence[str]) -> dict[str, Orders]:
    """A state for every conversation, locked."""
    rows = await tx.fetch(
        "SELECT conversation_id, numbers FROM orders WHERE conversation_id = ANY($1::text[]) ORDER BY 1 FOR UPDATE",
        list(ids),
    )
    known = {row["conversation_id"]: Orders(row["conversation_id"], tuple(row["numbers"])) for row in rows}
    return {id_: known.get(id_, Orders(id_)) for id_ in ids}


async def save(tx: Tx, states: Sequence[Orders]) -> None:
    """Writes those that have any."""
    await tx.execute(
        """
        INSERT INTO orders (conversation_id, numbers)
        SELECT conversation_id, ARRAY(SELECT jsonb_array_elements_text(numbers))
        FROM unnest($1::text[], $2::jsonb[]) AS new(conversation_id, numbers)
        ON CONFLICT (conversation_id) DO UPDATE
        SET numbers = excluded.numbers
        """,
        [state.conversation_id for state in states],
        [json.dumps(state.numbers) for state in states],
    )


def declare(read_number: Callable[[str], object]) -> Declaration:
    """The service; its first version reads a number by `int`, for it never saw an order called 12-B."""

    def evolve(orders: Orders, event: Event) -> Orders:
        if not isinstance(event, (ConversationOpened, CustomerReplied)) or event.message is None:
            return orders
        named = tuple(str(read_number(number.rstrip(".,?!"))) for number in _NAMED.findall(event.message.text))
        return replace(orders, numbers=orders.numbers + named) if named else orders

    noted = Aggregate(NAME, load, save, lambda orders, event, now: (), evolve)
    kinds: tuple[type[Event], ...] = (ConversationOpened, CustomerReplied)
    return Declaration(
        name=NAME,
        settings=NoSettings,
        build=lambda settings: Service([Absorb(kind, noted, key=lambda said: said.conversation_id) for kind in kinds]),
        migrations=files("deskstream.cli.demo.orders") / "migrations",
        hears=(ConversationOpened.LANE,),
    )

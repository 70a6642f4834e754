"""The parts of the product in the database: loaded whole where a team looks at them, changed ones saved."""

from asyncpg import Record

from deskstream.contracts.chain_facts import Maturity
from deskstream.messaging import Tx
from deskstream.routing.domain import Part, Product

_LOAD = """
SELECT id, number, name, parent, maturity, owners, first_expert, second_expert, deleted
FROM parts
"""

# An array of arrays has rows of one length only, so the owners of each part travel as one text.
_SAVE = """
INSERT INTO parts (id, number, name, parent, maturity, owners, first_expert, second_expert, deleted)
SELECT id, number, name, parent, maturity, string_to_array(owners, ' '), first_expert, second_expert, deleted
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::boolean[])
    AS new(id, number, name, parent, maturity, owners, first_expert, second_expert, deleted)
ORDER BY id
ON CONFLICT (id) DO UPDATE
SET name = excluded.name,
    parent = excluded.parent,
    maturity = excluded.maturity,
    owners = excluded.owners,
    first_expert = excluded.first_expert,
    second_expert = excluded.second_expert,
    deleted = excluded.deleted
"""


async def load(tx: Tx) -> Product:
    """All parts, deleted ones too."""
    return Product({row["id"]: _part(row) for row in await tx.fetch(_LOAD)})


async def save(tx: Tx, loaded: Product, product: Product) -> None:
    """Writes what differs from what was loaded."""
    if product is loaded:
        return
    parts = [_values(part) for part in product.parts.values() if loaded.parts.get(part.id) != part]
    if parts:
        await tx.execute(_SAVE, *zip(*parts, strict=True))


def _part(row: Record) -> Part:
    return Part(
        id=row["id"],
        number=row["number"],
        name=row["name"],
        parent=row["parent"],
        maturity=Maturity(row["maturity"]),
        owners=tuple(row["owners"]),
        first_expert=row["first_expert"],
        second_expert=row["second_expert"],
        deleted=row["deleted"],
    )


def _values(part: Part) -> tuple[object, ...]:
    return (
        part.id,
        part.number,
        part.name,
        part.parent,
        part.maturity.value,
        " ".join(part.owners),
        part.first_expert,
        part.second_expert,
        part.deleted,
    )

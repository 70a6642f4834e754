"""The parts of the product, as far as work is given to the people behind them (R3, R4, W14)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from deskstream.contracts.chain_facts import Maturity
from deskstream.contracts.ids import AgentId, PartId
from deskstream.contracts.parts import PartStaffed


@dataclass(frozen=True, slots=True)
class Part:
    id: PartId
    number: int
    name: str
    parent: PartId | None
    maturity: Maturity
    owners: tuple[AgentId, ...] = ()
    first_expert: AgentId | None = None
    second_expert: AgentId | None = None
    deleted: bool = False

    @property
    def title(self) -> str:
        return f"PART-{self.number} {self.name}"


@dataclass(frozen=True)
class Product:
    """All parts that were ever told of."""

    parts: Mapping[PartId, Part] = field(default_factory=dict)

    def named(self, number: int) -> Part | None:
        """The part of this number; None for one that is not known, or deleted."""
        return self._by_number.get(number)

    def with_experts(self, number: int) -> Part | None:
        """The part, or the nearest above it, that has an expert."""
        return next((part for part in self._upwards(number) if part.first_expert or part.second_expert), None)

    def with_owners(self, number: int) -> Part | None:
        """The part, or the nearest above it, that somebody owns."""
        return next((part for part in self._upwards(number) if part.owners), None)

    @cached_property
    def owners(self) -> frozenset[AgentId]:
        """Who owns a part that is more than planned."""
        return frozenset(
            owner for part in self._by_number.values() if part.maturity is not Maturity.PLANNED for owner in part.owners
        )

    @cached_property
    def planned_owners(self) -> frozenset[AgentId]:
        """Who owns a planned part."""
        return frozenset(
            owner for part in self._by_number.values() if part.maturity is Maturity.PLANNED for owner in part.owners
        )

    @cached_property
    def _by_number(self) -> Mapping[int, Part]:
        return {part.number: part for part in self.parts.values() if not part.deleted}

    def _upwards(self, number: int) -> Iterator[Part]:
        at, seen = self.named(number), set[PartId]()
        while at is not None and at.id not in seen:
            yield at
            seen.add(at.id)
            at = None if at.parent is None else self.parts.get(at.parent)


def staffed(product: Product, said: PartStaffed) -> Product:
    """The product after a part was made, moved, deleted, or got other people."""
    facts = said.after
    part = Part(
        id=facts.id,
        number=facts.number,
        name=facts.name,
        parent=facts.parent,
        maturity=facts.maturity,
        owners=facts.owners,
        first_expert=facts.first_expert,
        second_expert=facts.second_expert,
        deleted=facts.deleted is not None,
    )
    return Product({**product.parts, part.id: part})

"""W8, W14: who speaks for a part, and what keeps one from being deleted."""

from collections.abc import Iterable
from typing import Final

from deskstream.contracts.chain_facts import PartFacts
from deskstream.contracts.ids import AgentId
from deskstream.contracts.linked import UNCLOSED
from deskstream.ticketing.domain.issue.stages import UNENDED

HANGING: Final = (UNCLOSED, UNENDED)
"""In which stages tickets and issues still hang on a part. A solved ticket may open again without anybody's asking."""


def spokespeople(upwards: Iterable[PartFacts]) -> tuple[AgentId, ...]:
    """Owners, experts and workers of the first of these, a part and those above it, that names anybody."""
    return next((people for facts in upwards if (people := _people(facts))), ())


def in_the_way(parts: int, tickets: int, issues: int) -> tuple[str, ...]:
    """What hangs on a part, in words: `3 parts`, `1 ticket`."""
    counted = (("part", parts), ("ticket", tickets), ("issue", issues))
    return tuple(f"{count} {word}{'' if count == 1 else 's'}" for word, count in counted if count)


def _people(facts: PartFacts) -> tuple[AgentId, ...]:
    experts = (facts.first_expert, facts.second_expert)
    return tuple(dict.fromkeys((*facts.owners, *(one for one in experts if one), *facts.workers)))

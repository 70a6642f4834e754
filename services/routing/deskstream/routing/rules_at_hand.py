"""The compiled rules of the version that holds: compiled once for each version, kept by the process that uses them."""

from deskstream.messaging import Tx
from deskstream.routing.matching import CompiledRules
from deskstream.routing.store import rules


class RulesAtHand:
    """Made by `build`; one look at the version decides whether what is kept still holds."""

    def __init__(self) -> None:
        self._kept: CompiledRules | None = None

    async def of(self, tx: Tx) -> CompiledRules:
        """The rules as this transaction sees them."""
        kept = self._kept
        if kept is None or kept.version != await rules.version(tx):
            book = await rules.current(tx)
            kept = CompiledRules(book.version, (entry.facts for entry in book.entries.values()))
            self._kept = kept
        return kept

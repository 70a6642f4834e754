"""A wish may be bound to the version that was seen, and a change says how it is taken back."""

from collections.abc import Iterable
from typing import Any, Final

from deskstream.contracts import Refused
from deskstream.contracts.chain_facts import IssueFacts, TicketFacts

_EMPTIED: Final = frozenset({"owner", "customer_engineer"})
_FOLLOWS: Final = frozenset({"engineer_told"})


def insist_on_version(name: str, version: int, asked: object) -> None:
    """Raises `Refused` where the command names another version than there is; none is whichever."""
    if getattr(asked, "version", None) not in (None, version):
        sentence = f"{name} is at version {version}. Look again, and repeat it."
        raise Refused("version_is_stale", sentence, version=version)


def before(facts: TicketFacts | IssueFacts, changed: Iterable[str]) -> dict[str, Any]:
    """W9: what these facts were, in the words of the command that changes them back; nobody is the empty text."""
    was: dict[str, Any] = {name: getattr(facts, name) for name in changed if name not in _FOLLOWS}
    if "part" in was:
        was["part_id"] = str(was.pop("part").id)
    return {name: "" if value is None and name in _EMPTIED else value for name, value in was.items()}

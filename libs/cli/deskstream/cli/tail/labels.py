"""How people call what an event is about: CONV-12, ACC-3; else the beginning of its id."""

from collections import OrderedDict
from typing import Final

from deskstream.cli.tail.seen import Seen

REMEMBERED: Final = 50_000
SHORT: Final = 8


class Labels:
    """Learns from what passes: threads and conversations get the number that their conversation has."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()

    def of(self, seen: Seen) -> str:
        """The label of an event's object."""
        if label := self._number(seen):
            for identity in (seen.key, seen.text("after", "thread_id"), seen.text("conversation_id")):
                self._learn(identity, label)
            return label
        return self._known.get(seen.key, seen.key[:SHORT])

    def _number(self, seen: Seen) -> str | None:
        if seen.value("account_id") and (number := seen.text("number")):
            return f"ACC-{number}"
        number = seen.text("after", "number") or seen.text("number")
        about_conversation = seen.value("conversation_id") or seen.value("after")
        return f"CONV-{number}" if number and about_conversation else None

    def _learn(self, identity: str, label: str) -> None:
        if identity:
            self._known[identity] = label
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)

"""Which events are shown: by service, event, key and text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from deskstream.cli.tail.seen import Seen
from deskstream.contracts import subjects

_WHOLE_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LABEL: Final = re.compile(r"[A-Z]{2,5}-\d+", re.IGNORECASE)
_EVENTS: Final = "EVENTS_"
_PLAIN: Final = re.compile(r"[a-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Filters:
    """All that are given must hold; of one kind, any."""

    services: Sequence[str] = ()
    events: Sequence[str] = ()
    """Names, or patterns with * and ?."""
    keys: Sequence[str] = ()
    """Labels (CONV-12), ids, or the first four or more characters of one."""
    text: str = ""
    """Anywhere in the event, in any case."""
    same: frozenset[str] = frozenset()
    """Ids that mean the same as one of `keys`: the thread of a conversation."""
    wire: bool = False
    """Also what arrives from adapters and leaves for them."""

    def takes_stream(self, name: str) -> bool:
        """Whether a stream of this name may hold something of it."""
        if not name.startswith(_EVENTS):
            return self.wire and name.startswith(("OUTBOUND_", "INBOUND"))
        return not self.services or self._is_of_service(_lane(name))

    def subject_of(self, stream: str) -> str | None:
        """What the broker should send, where one subject can say it; None for everything."""
        if not stream.startswith(_EVENTS):
            return None
        event = self.events[0] if len(self.events) == 1 and _PLAIN.fullmatch(self.events[0]) else "*"
        key = self.keys[0] if len(self.keys) == 1 and not self.same and _WHOLE_ID.fullmatch(self.keys[0]) else "*"
        if event == key == "*":
            return None
        return f"{_lane(stream)}.{event}.{key}"

    def match(self, seen: Seen, label: str) -> bool:
        """Whether this event is shown."""
        return (
            (not self.services or self._is_of_service(seen.lane))
            and (not self.events or any(fnmatchcase(seen.event, wanted) for wanted in self.events))
            and (not self.keys or self._is_about(seen.key, label))
            and self.text.casefold() in seen.document.casefold()
        )

    def _is_about(self, key: str, label: str) -> bool:
        return key in self.same or any(
            label.casefold() == wanted.casefold() or (len(wanted) >= 4 and key.startswith(wanted.lower()))
            for wanted in self.keys
        )

    def _is_of_service(self, lane: str) -> bool:
        """A service may write several lanes, and a lane goes by its own name, too."""
        return subjects.owner_of(lane) in self.services or lane.partition(".")[2] in self.services


def _lane(stream: str) -> str:
    return subjects.events_lane(stream.removeprefix(_EVENTS).lower())


def is_label(key: str) -> bool:
    """Whether it is a name that people use, and no id."""
    return _LABEL.fullmatch(key) is not None

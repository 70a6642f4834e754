"""An event as `tail` looks at it: what the envelope says, and its data as they stand."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deskstream.cli.tail.stream import Arrived
from deskstream.contracts import subjects

UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Seen:
    """One event, or what an adapter published."""

    at: datetime
    lane: str
    """`events.crm`, `inbound.email`."""
    event: str
    """`contact_saved`; of what adapters publish its type."""
    key: str
    actor: str | None
    data: Mapping[str, Any]
    document: str
    """The JSON text as it travelled."""

    @property
    def service(self) -> str:
        """Who said it; for what arrives or leaves, the channel."""
        return self.lane.partition(".")[2]

    def value(self, *path: str) -> Any:
        """A value inside the data, or None: contracts grow, and old events lack what is new."""
        found: Any = self.data
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def text(self, *path: str) -> str:
        """The same as text; empty when it is no text, number or truth."""
        found = self.value(*path)
        return str(found) if isinstance(found, (str, int, float)) else ""


def read(arrived: Arrived) -> Seen:
    """Whatever was published can be looked at, also what is no event."""
    lane, key = subjects.lane_of(arrived.subject), subjects.key_of(arrived.subject)
    document = arrived.body.decode("utf-8", "replace")
    content = _object(document)
    if content is None:
        found = {"reason": f"{len(arrived.body)} bytes that are no JSON object"}
        return Seen(arrived.at, lane, UNREADABLE, key, None, found, json.dumps({"unreadable": document}))
    if "specversion" not in content:
        return Seen(arrived.at, lane, str(content.get("type", "message")), key, None, content, _on_one_line(document))
    data = content.get("data")
    return Seen(
        at=_moment(content.get("time")) or arrived.at,
        lane=lane,
        event=str(content.get("type", UNREADABLE)).rpartition(".")[2],
        key=str(content.get("subject", key)),
        actor=None if content.get("actor") is None else str(content["actor"]),
        data=data if isinstance(data, Mapping) else {},
        document=_on_one_line(document),
    )


def _object(document: str) -> dict[str, Any] | None:
    try:
        content = json.loads(document)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _on_one_line(document: str) -> str:
    """In JSON a line break stands between values only, where a space does as well."""
    return document.replace("\r", " ").replace("\n", " ").strip()


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None

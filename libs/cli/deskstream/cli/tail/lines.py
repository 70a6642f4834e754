"""An event as one line: time, who said what, about what, the stage's change, a few words, the actor."""

import json
from datetime import date, datetime
from typing import Final

from rich.text import Text

from deskstream.cli.clean import one_line
from deskstream.cli.tail.seen import UNREADABLE, Seen
from deskstream.cli.tail.words import words

_COLOURS: Final = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_green", "bright_magenta")
_KNOWN: Final = ("ingest", "conversation", "routing", "crm", "sla", "delivery", "email")
_LOUD: Final = {
    UNREADABLE: "bold red",
    "message_rejected": "bold red",
    "command_refused": "yellow",
    "clock_breached": "bold red",
    "clock_warned": "yellow",
    "dead": "bold red",
    "failed": "yellow",
}
_WORDS_LIMIT: Final = 500
_NAME_WIDTH: Final = 34
_KEY_WIDTH: Final = 9


def line_of(seen: Seen, label: str) -> Text:
    """The line; it may be longer than a terminal is wide."""
    colour = _colour(seen.service)
    name = one_line(f"{seen.service}/{seen.event}")
    line = Text(f"{seen.at.astimezone():%H:%M:%S.%f}"[:-3], style="dim")
    line.append("  ")
    line.append(name.ljust(_NAME_WIDTH), style=_LOUD.get(seen.event, colour))
    line.append(" " + one_line(label).ljust(_KEY_WIDTH), style="bold")
    line.append(" ")
    if stage := _stage(seen):
        line.append(f"{stage}  ", style="bold")
    line.append(one_line(words(seen), _WORDS_LIMIT), style=_LOUD.get(seen.event, ""))
    if seen.actor:
        line.append(f"  ({one_line(seen.actor, 40)})", style="dim")
    line.rstrip()
    return line


def day_line(day: date) -> Text:
    """Stands before the first event of another day."""
    return Text(f"{day:%A %Y-%m-%d}", style="dim")


def document_of(seen: Seen) -> str:
    """For programs: the CloudEvent; around what an adapter published, where it was published."""
    if seen.lane.startswith("inbound") and seen.event != UNREADABLE:
        about = {"lane": seen.lane, "inbox": seen.key, "time": seen.at.isoformat(), "data": seen.data}
        return json.dumps(about, ensure_ascii=False)
    return seen.document


def day_of(moment: datetime) -> date:
    """In local time."""
    return moment.astimezone().date()


def _colour(service: str) -> str:
    place = _KNOWN.index(service) if service in _KNOWN else sum(service.encode())
    return _COLOURS[place % len(_COLOURS)]


def _stage(seen: Seen) -> str:
    before, after = seen.text("stage_before"), seen.text("after", "stage")
    if not after or before == after:
        return ""
    return one_line(f"{before} → {after}" if before else f"→ {after}", 60)

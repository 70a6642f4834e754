"""`--since`: a span of time back from now, or a moment."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from deskstream.cli.problem import misused

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)

_SPAN: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*(s|sec|m|min|h|d|w)")
_SECONDS: Final = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_EXAMPLES: Final = "Write 90s, 10m, 2h, 1d, 2026-05-01, 2026-05-01T10:00 (local time), or `beginning`."


def read_since(text: str, now: datetime) -> datetime:
    """The moment that `text` means. Raises Problem for what means none, or one that is still to come."""
    wanted = text.strip().lower()
    if wanted in ("beginning", "all"):
        return BEGINNING
    moment = _span_back(wanted, now) or _moment(text.strip())
    if moment is None:
        raise misused(f"--since {text!r} is neither a span of time nor a moment. {_EXAMPLES}")
    if moment > now:
        raise misused(f"--since {text} is still to come: it would show nothing. {_EXAMPLES}")
    return moment


def _span_back(text: str, now: datetime) -> datetime | None:
    found = _SPAN.fullmatch(text)
    if not found:
        return None
    try:
        return max(now - timedelta(seconds=float(found[1]) * _SECONDS[found[2]]), BEGINNING)
    except OverflowError:
        return BEGINNING


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return BEGINNING if moment.year <= BEGINNING.year else moment.astimezone()

"""What lists of work are narrowed down by: each option is checked before anybody is asked."""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import TypeAdapter, ValidationError

from deskstream.cli.problem import misused
from deskstream.contracts.ticket_commands import Handle

_HANDLE: Final = TypeAdapter[str](Handle)


def insist_on(value: str | None, allowed: Sequence[str], option: str) -> None:
    """Raises Problem for a word that is none of these."""
    if value is not None and value not in allowed:
        raise misused(f"{_quoted(value)} is no {option}: it is one of {', '.join(allowed)}.")


def insist_on_names(names: Mapping[str, str | None]) -> None:
    """`{"part": "PART-4"}`. Raises Problem for a blank, which names nothing and must not stand for everything."""
    for kind, name in names.items():
        if name is not None and not name.strip():
            raise misused(f"{name!r} names no {kind}.")


def insist_on_agent(owner: str | None) -> None:
    """Raises Problem for what can be no agent's handle."""
    if owner is None:
        return
    try:
        _HANDLE.validate_python(owner)
    except ValidationError:
        raise misused(
            f"{_quoted(owner)} names no agent: a handle is made of small letters, digits, - and _, 64 at most."
        ) from None


def _quoted(value: str) -> str:
    return repr(value) if len(value) <= 40 else f"{value[:40]!r}…"

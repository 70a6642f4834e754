"""How people name a member of a chain: TKT-7, iss-31, CONV-12, PART-4, ACC-3."""

import re
from typing import Final, NamedTuple

from deskstream.cli.problem import misused

KINDS: Final = {"TKT": "ticket", "ISS": "issue", "CONV": "conversation", "PART": "part", "ACC": "account"}

_NAME: Final = re.compile(r"([A-Za-z]{2,4})-([0-9]{1,15})")


class Member(NamedTuple):
    kind: str
    number: int


def member_of(text: str) -> Member:
    """Raises Problem for what names no member of a chain."""
    found = _NAME.fullmatch(text.strip())
    kind = KINDS.get(found[1].upper()) if found else None
    if found is None or kind is None or int(found[2]) < 1:
        raise misused(f"{text!r} names nothing here: write TKT-7, ISS-31, CONV-12, PART-4 or ACC-3.")
    return Member(kind, int(found[2]))


def number_of(text: str, kind: str) -> int:
    """The number in `PART-4`, or `4`. Raises Problem for another kind's name."""
    if text.isascii() and text.isdigit() and len(text) < 16 and int(text) > 0:
        return int(text)
    member = member_of(text)
    if member.kind != kind:
        raise misused(f"{text!r} names no {kind}.")
    return member.number

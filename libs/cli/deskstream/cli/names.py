"""How people name a conversation: CONV-12, conv-12, 12, or its id."""

import re
from typing import Final
from uuid import UUID

from deskstream.cli.problem import misused

_NUMBER: Final = re.compile(r"(?:CONV-)?([0-9]{1,15})", re.IGNORECASE)


def conversation_name(text: str) -> str:
    """`CONV-12`, or an id as it is. Raises Problem for what names no conversation."""
    if found := _NUMBER.fullmatch(text.strip()):
        return f"CONV-{int(found[1])}"
    try:
        return str(UUID(text.strip()))
    except ValueError:
        raise misused(f"{text!r} names no conversation: write CONV-12, or an id.") from None

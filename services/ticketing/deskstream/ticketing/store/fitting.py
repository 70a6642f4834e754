"""How much of a list one answer may carry: it travels in one message."""

import json
from collections.abc import Sequence
from typing import Any, Final

ANSWER_BYTES: Final = 90_000
FEW: Final = 20
"""Of a member's own lists so many are shown; the member itself has all of them."""


def size_of(answer: Any) -> int:
    """What it weighs on its way."""
    return len(json.dumps(answer, ensure_ascii=False).encode())


def fitting(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many from the front as one answer holds; the first always."""
    shown, weight = list(rows[:1]), size_of(rows[:1])
    for row in rows[1:]:
        weight += size_of(row)
        if weight > ANSWER_BYTES:
            break
        shown.append(row)
    return shown

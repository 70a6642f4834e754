"""What a check found."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    FINE = "fine"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `mend` says what to do; it is empty where all is fine."""

    check: str
    level: Level
    sentence: str
    mend: str = ""


def fine(check: str, sentence: str) -> Finding:
    """Nothing to do."""
    return Finding(check, Level.FINE, sentence)


def warning(check: str, sentence: str, mend: str) -> Finding:
    """It works, but somebody should look."""
    return Finding(check, Level.WARNING, sentence, mend)


def wrong(check: str, sentence: str, mend: str) -> Finding:
    """Something does not work, or soon will not."""
    return Finding(check, Level.WRONG, sentence, mend)

"""What is wrong with what a rule looks for, and where."""

from collections.abc import Iterator, Sequence

import re2

from deskstream.routing.domain.rulebook import Mistake
from deskstream.routing.matching.finding import normal_phrase, options


def mistake_in(words: Sequence[str], pattern: str | None) -> Mistake | None:
    """What is wrong with what a rule looks for."""
    for word in words:
        if not normal_phrase(word):
            return Mistake("bad_word", f"“{word}” has no letter or digit to look for.")
    return None if pattern is None else _mistake_in_pattern(pattern)


def _mistake_in_pattern(pattern: str) -> Mistake | None:
    try:
        re2.compile(pattern, options())
    except re2.error as error:
        what, position = _told(pattern, str(error.args[0], "utf-8", "replace"))
        return Mistake("bad_pattern", f"The pattern has a mistake at character {position + 1}: {what}.", position)
    return None


def _told(pattern: str, message: str) -> tuple[str, int]:
    """RE2 says what is wrong and quotes where; from that, the sentence and the character."""
    what, _, quoted = message.partition(": ")
    if what.startswith("missing )"):
        return "a ( that is never closed", _unclosed(pattern)
    if what.startswith("unexpected )"):
        return "a ) that closes nothing", _surplus(pattern)
    return message, max(pattern.find(quoted), 0)


def _unclosed(pattern: str) -> int:
    opened = [place for place, depth in _parentheses(pattern) if depth > 0]
    closed = [place for place, depth in _parentheses(pattern) if depth < 0]
    while closed:
        end = closed.pop(0)
        opened.remove(max(place for place in opened if place < end))
    return opened[-1] if opened else 0


def _surplus(pattern: str) -> int:
    depth = 0
    for place, step in _parentheses(pattern):
        depth += step
        if depth < 0:
            return place
    return 0


def _parentheses(pattern: str) -> Iterator[tuple[int, int]]:
    """(place, 1 or -1) of each parenthesis that is neither escaped nor in brackets."""
    bracketed = skipped = False
    for place, character in enumerate(pattern):
        if skipped:
            skipped = False
        elif character == "\\":
            skipped = True
        elif character in "[]":
            bracketed = character == "["
        elif character in "()" and not bracketed:
            yield place, 1 if character == "(" else -1

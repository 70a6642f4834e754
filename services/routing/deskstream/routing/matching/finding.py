"""What a text says: which of many phrases and patterns are in it, found in one pass."""

import re
import unicodedata
from collections.abc import Iterable

import re2

PATTERN_MEMORY = 1 << 20
_SET_MEMORY = 32 << 20
_WORD = re.compile(r"\w+")
# Scripts that put no space between words: a word of them is looked for anywhere in the text.
_SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


def normal_text(text: str) -> str:
    """NFC: however an accent was typed, it is found."""
    return unicodedata.normalize("NFC", text)


def normal_phrase(word: str) -> str:
    """How a word or phrase of a rule is looked for: folded, its words one space apart; empty when it has none."""
    return " ".join(_WORD.findall(normal_text(word).casefold()))


class Phrases:
    """Finds which of many words and phrases stand in a text as whole words, whatever their case."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._by_first: dict[str, list[str]] = {}
        joined: set[str] = set()
        for phrase in phrases:
            if _SPACELESS.search(phrase):
                joined.add(phrase)
            else:
                self._by_first.setdefault(phrase.partition(" ")[0], []).append(phrase)
        self._joined = Patterns(map(re2.escape, sorted(joined)))
        self._unescaped = {re2.escape(phrase): phrase for phrase in joined}

    def found_in(self, text: str) -> frozenset[str]:
        """`text` is in normal form NFC."""
        if not self._by_first and not self._unescaped:
            return frozenset()
        folded = text.casefold()
        tokens = _WORD.findall(folded)
        padded = f" {' '.join(tokens)} "
        whole = {
            phrase
            for first in self._by_first.keys() & set(tokens)
            for phrase in self._by_first[first]
            if phrase == first or f" {phrase} " in padded
        }
        return frozenset(whole.union(self._unescaped[pattern] for pattern in self._joined.found_in(folded)))


class Patterns:
    """Finds which of many RE2 patterns match a text, in one pass."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = tuple(sorted(set(patterns)))
        self._set = re2.Set.SearchSet(options(_SET_MEMORY))
        for pattern in self._patterns:
            self._set.Add(pattern)
        # Matches everything: without it an answer of nothing could also mean that RE2 ran out of memory.
        self._proof = self._set.Add("")
        self._fits = _compiled(self._set)
        self._single: tuple[re2._Regexp, ...] = ()

    def found_in(self, text: str) -> frozenset[str]:
        """The patterns of which something matches anywhere in the text."""
        if not self._patterns:
            return frozenset()
        hits = self._set.Match(text) or () if self._fits else ()
        if self._proof in hits:
            return frozenset(self._patterns[hit] for hit in hits if hit != self._proof)
        return self._found_singly(text)

    def _found_singly(self, text: str) -> frozenset[str]:
        self._single = self._single or tuple(re2.compile(pattern, options()) for pattern in self._patterns)
        return frozenset(
            pattern for pattern, single in zip(self._patterns, self._single, strict=True) if single.search(text)
        )


def options(memory: int = PATTERN_MEMORY) -> re2.Options:
    """How every pattern is compiled: quietly, and with a bound on its size."""
    chosen = re2.Options()
    chosen.max_mem = memory
    chosen.log_errors = False
    return chosen


def _compiled(patterns: re2.Set) -> bool:
    try:
        patterns.Compile()
    except re2.error:
        return False
    return True

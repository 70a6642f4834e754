"""Templates become texts: what stands for a name is replaced by it."""

import re
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from typing import Final

_SUFFIX: Final = ".txt"
"""Of every template, so that nothing takes one for what it will become."""
_WORD: Final = re.compile(r"@([A-Z]+)@")


def filled(folder: Traversable, words: Mapping[str, str], below: str = "") -> Iterator[tuple[str, str]]:
    """Each file of a folder of templates: its path there, and its text."""
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        path = f"{below}{fill(entry.name, words)}"
        if entry.is_dir():
            yield from filled(entry, words, f"{path}/")
        elif entry.name.endswith(_SUFFIX):
            yield path.removesuffix(_SUFFIX), fill(entry.read_text("utf-8"), words)


def fill(text: str, words: Mapping[str, str]) -> str:
    """The text with these words for `@WORD@`; what is none of them stays."""
    return _WORD.sub(lambda found: words.get(found[1], found[0]), text)

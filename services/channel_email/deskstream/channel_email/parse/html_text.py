"""HTML to plain text in one pass over its tags: linear for any input, however deep or broken."""

import re
from html import unescape

from deskstream.channel_email.parse import tags
from deskstream.channel_email.parse.charsets import clean_text

_TOKEN = re.compile(r"<!--|<[/!?]?[a-zA-Z][^<>]*>|<[!?][^<>]*>|[^<]+|<")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_TO_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_SPACE = re.compile(r"[ \t\n\r\f\u00a0]+")
_BLANK_LINES = re.compile(r"\n{3,}")


def depth(html: str) -> int:
    """How deep it nests at most, counted as a tag soup."""
    deepest = now = 0
    for closing, name in _TAG.findall(html):
        name = name.lower()
        if name in tags.VOID or name in tags.SELF_CLOSING:
            continue
        now = max(now - 1, 0) if closing else now + 1
        deepest = max(deepest, now)
    return deepest


def text_of(html: str) -> str:
    """What a reader sees, block by block; quoted blocks get `> ` in front of each line."""
    writer, skipper = _Writer(), _Skipper(html)
    position = 0
    while token := _TOKEN.match(html, position):
        position = token.end()
        tag = _TAG.match(token.group())
        if token.group() == "<!--":
            position = skipper.after("-->", position)
        elif tag is None:
            writer.words(token.group())
        elif not tag[1] and tag[2].lower() in tags.SILENT:
            position = skipper.after(f"</{tag[2].lower()}", position)
        else:
            writer.tag(tag[2].lower(), closing=bool(tag[1]))
    return clean_text(writer.text())


class _Skipper:
    """Finds where something silent ends; what is not there once is not looked for again."""

    def __init__(self, html: str) -> None:
        # ASCII only, so that every place stays the same.
        self._html = html.translate(_TO_LOWER)
        self._missing: set[str] = set()

    def after(self, end: str, position: int) -> int:
        """Behind `end`, the rest of its tag included; where it was when nobody ends it: then the text goes on."""
        if end in self._missing:
            return position
        found = self._html.find(end, position)
        if found < 0:
            self._missing.add(end)
            return position
        closed = self._html.find(">", found)
        return closed + 1 if closed >= 0 else len(self._html)


class _Writer:
    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._quotes = 0

    def words(self, words: str) -> None:
        words = _SPACE.sub(" ", unescape(words)) if not words.startswith(("<!", "<?")) else ""
        self._line.append(words if self._line else words.lstrip())

    def tag(self, name: str, *, closing: bool) -> None:
        if name == "br":
            self._break(blank=True)
        elif name in ("td", "th") and not closing and self._line:
            self._line.append("  ")
        elif name in tags.BLOCKS:
            self._break(blank=False)
        match name, closing:
            case "blockquote", _:
                self._quotes = max(self._quotes + (-1 if closing else 1), 0)
            case "p", True:
                self._break(blank=True)
            case "li", False:
                self._line.append("- ")

    def _break(self, *, blank: bool) -> None:
        line = "".join(self._line).rstrip()
        if line or blank:
            self._lines.append("> " * min(self._quotes, 10) + line)
        self._line.clear()

    def text(self) -> str:
        self._break(blank=False)
        return _BLANK_LINES.sub("\n\n", "\n".join(self._lines)).strip()

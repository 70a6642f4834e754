"""HTML to plain text in one pass over its tags: linear for any input, however deep or broken."""

import re
from html import unescape

from deskstream.channel_email.parse import tags
from deskstream.channel_email.parse.charsets import clean_text

_TOKEN = re.compile(r"<!--|<[/!?]?[a-zA-Z][^<>]*>|<[!?][^<>]*>|[^<]+|<")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
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
    writer = _Writer()
    position = 0
    while token := _TOKEN.match(html, position):
        position = token.end()
        if token.group() == "<!--":
            end = html.find("-->", position)
            position = len(html) if end < 0 else end + 3
            continue
        tag = _TAG.match(token.group())
        if tag is None:
            writer.words(token.group())
        elif not tag[1] and tag[2].lower() in tags.SILENT:
            position = _after_closing(html, tag[2], position)
        else:
            writer.tag(tag[2].lower(), closing=bool(tag[1]))
    return clean_text(writer.text())


def _after_closing(html: str, name: str, position: int) -> int:
    # Nobody closes it: then it was a stray tag, and what follows is text.
    found = re.compile(rf"</{name}\b[^<>]*>", re.IGNORECASE).search(html, position)
    return found.end() if found else position


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

"""Bytes to text: whatever the mail claims about its charset, the result is clean Unicode."""

import codecs
import re
from functools import lru_cache

# What these names mean in mails, by the WHATWG encoding standard rather than by their letter.
_MEANT = {
    "iso8859-1": "cp1252",
    "ascii": "utf-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "iso2022_jp": "iso2022_jp_ext",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
}
# Codecs of Python's that are no charsets of mails, or that hide markup from whoever looks at the bytes.
_REFUSED = frozenset(
    {"utf-7", "unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined", "mbcs", "oem", "palmos"}
)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_LINE_BREAKS = re.compile("[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029\t ]+")


def decode(body: bytes, charset: str | None) -> str:
    """The text; an unknown or lying charset is read as UTF-8, and what does not fit becomes U+FFFD."""
    return clean_text(body.decode(_codec((charset or "utf-8").strip().lower()), "replace"))


def clean_text(text: str) -> str:
    """Without control codes and lone surrogates, lines ending in LF."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def clean_line(text: str) -> str:
    """The same on one line, so that it can stand in a header."""
    return _CONTROLS.sub("", _LINE_BREAKS.sub(" ", text)).strip()


@lru_cache(maxsize=256)
def _codec(charset: str) -> str:
    try:
        known = codecs.lookup(charset)
    except (LookupError, ValueError):
        return "utf-8"
    if known.name in _REFUSED or not known._is_text_encoding:
        return "utf-8"
    return _MEANT.get(known.name, known.name)

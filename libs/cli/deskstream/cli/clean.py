"""Text from outside, made fit for one line of a terminal."""

import re

# C0 and C1 controls drive the terminal (escape sequences); bidi controls and zero-width characters make lines lie;
# half surrogates cannot be printed at all.
_SPACE = re.compile(r"[\s\x1c-\x1f\x85\u2028\u2029]+")
_HIDDEN = re.compile(
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+"
)
# JSON has its line breaks and tabs between values only; inside of texts they are escapes already.
_HIDDEN_IN_JSON = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)

_READ_AT_MOST = 20_000


def one_line(text: str, limit: int | None = None) -> str:
    """The text without anything a terminal obeys, on one line, cut to `limit` characters with an ellipsis."""
    # Longer than any terminal is wide: what comes after is not looked at.
    cleaned = _SPACE.sub(" ", _HIDDEN.sub("", text[:_READ_AT_MOST])).strip()
    if limit is None or len(cleaned) <= limit:
        return cleaned
    return cleaned[: max(limit - 1, 0)].rstrip() + "…"


def paragraphs(text: str) -> str:
    """The same for text of several lines, which it keeps."""
    return "\n".join(one_line(line) for line in text.splitlines())


def safe_json(document: str) -> str:
    """A JSON document on which terminals act just as little: what is hidden is written as escapes."""
    return _HIDDEN_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", document)

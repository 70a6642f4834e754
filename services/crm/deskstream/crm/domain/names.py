"""How names are written, shown and compared."""

import unicodedata

NAME_LIMIT = 200

# Joiners are part of names in Persian and in Indic scripts; all other invisible characters only deceive.
_JOINERS = "\u200c\u200d"
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def clean_name(text: str | None) -> str:
    """A name as it may be kept and shown: one line, nothing invisible, at most `NAME_LIMIT` characters."""
    if not text:
        return ""
    if not text.isprintable():
        text = "".join(_visible(character) for character in text)
    return " ".join(unicodedata.normalize("NFC", text).split())[:NAME_LIMIT].strip()


def name_key(name: str) -> str:
    """What two spellings of one name have in common: `ACME  GmbH` and `Acme GmbH` are the same account."""
    return unicodedata.normalize("NFKC", clean_name(name)).casefold()


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in _INVISIBLE and character not in _JOINERS else character

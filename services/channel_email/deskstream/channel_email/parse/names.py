"""Names of files as they may be shown: nothing that climbs, hides its end or fills the screen."""

import re
from mimetypes import guess_extension
from unicodedata import normalize

from deskstream.channel_email.parse.charsets import clean_line

MAX_LENGTH = 120
MAX_EXTENSION = 16

# Marks that turn the direction of writing, or show nothing at all.
INVISIBLE = re.compile("[\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f]")
_FORBIDDEN = re.compile(r'[<>:"|?*]')


def clean_name(name: str, media_type: str, number: int) -> str:
    """The last step of a path, without control and direction marks, at most `MAX_LENGTH` characters."""
    name = INVISIBLE.sub("", normalize("NFC", clean_line(name)))
    name = _FORBIDDEN.sub("_", name.replace("\\", "/").rpartition("/")[2]).strip(". ")
    if not name:
        return f"attachment-{number}{guess_extension(media_type) or ''}"
    stem, dot, extension = name.rpartition(".")
    if len(name) <= MAX_LENGTH or not stem or len(extension) > MAX_EXTENSION:
        return name[:MAX_LENGTH]
    return stem[: MAX_LENGTH - len(dot + extension)] + dot + extension

"""Mails inside mails: whose mail was forwarded, by the block that mail programs write above it."""

import re

from deskstream.channel_email.parse.addresses import read_addresses
from deskstream.channel_email.parse.parsed import Forwarded

MAX_LINES = 500
MAX_BLOCK = 12

_RULE = re.compile(
    r"(?:[-_]{2,}.{0,60}[-_]{2,}|.{0,40}(?:forwarded message|weitergeleitete[nr]? Nachricht).{0,10}:)", re.IGNORECASE
)
_FORWARDED = re.compile(
    r"forwarded|weitergeleitet|transféré|reenviad|encaminhad|inoltrat|doorgestuurd|vidarebefordra", re.IGNORECASE
)
_FROM = re.compile(r"^\*{0,2}(?:From|Von|De|Da|Van|Od|Från|Fra):\*{0,2}\s*(\S.{0,300})$", re.IGNORECASE)
_FIELD = re.compile(r"^\*{0,2}[^\W\d_][\w' -]{0,20}\s?:\*{0,2}(?:\s|$)")


def find_forwarded(text: str) -> Forwarded | None:
    """The forwarded mail in a text: a From line with an address, within a block of at least two fields."""
    lines = text.split("\n")
    plain = [line.strip() for line in lines[:MAX_LINES]]
    for at, line in enumerate(plain):
        named = _FROM.match(line)
        fields = _fields_below(plain, at) if named else 0
        if named is None or fields < 2:
            continue
        senders = read_addresses([named[1].replace("[mailto:", "<").replace("]", ">").encode()])
        if not senders:
            return None
        rules = [line for line in plain[:at] if _RULE.fullmatch(line)]
        remark = "\n".join(line for line in lines[:at] if not _RULE.fullmatch(line.strip())).strip()
        marked = any(_FORWARDED.search(line) for line in rules)
        return Forwarded(senders[0], "\n".join(lines[at + fields :]).strip(), remark, marked)
    return None


def _fields_below(plain: list[str], at: int) -> int:
    """How many lines from `at` on are fields of the block."""
    end = at
    while end < min(at + MAX_BLOCK, len(plain)) and _FIELD.match(plain[end]):
        end += 1
    return end - at

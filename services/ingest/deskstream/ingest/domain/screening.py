"""What makes a message suspicious: few rules, each with the reason that a reviewer reads."""

import re
from collections.abc import Iterable
from typing import Final

from deskstream.contracts.inbound import Attachment, InboundMessage

MANY_LINKS: Final = 10

_PROGRAM: Final = re.compile(
    r"\.(bat|cmd|com|cpl|exe|hta|jar|js|jse|lnk|msi|pif|ps1|scr|vbe|vbs|wsf)\W*$", re.IGNORECASE
)
_LINK: Final = re.compile(r"https?://\S+", re.IGNORECASE)


def channel_marks(message: InboundMessage) -> tuple[str, ...]:
    """Why the channel itself thinks it spam."""
    return tuple(dict.fromkeys(message.spam_marks))


def screen_stranger(message: InboundMessage, words: Iterable[str]) -> tuple[str, ...]:
    """Why to look at a message of somebody whom nobody knows in its thread. Automatic mail is judged by its kind."""
    if message.automatic is not None:
        return ()
    reasons = [_only_programs(message), _mostly_links(message.text), *_unwanted(message, words)]
    return tuple(reason for reason in reasons if reason)


def _only_programs(message: InboundMessage) -> str | None:
    if not message.attachments or message.text.strip():
        return None
    return "no text, only programs attached" if all(map(_is_program, message.attachments)) else None


def _is_program(attachment: Attachment) -> bool:
    return _PROGRAM.search(attachment.name) is not None


def _mostly_links(text: str) -> str | None:
    # Counting is cheap; only what has many is looked at closely.
    if text.count("://") < MANY_LINKS:
        return None
    links = _LINK.findall(text)
    if len(links) < MANY_LINKS or sum(map(len, links)) * 2 < len(text):
        return None
    return f"{len(links)} links and little else"


def _unwanted(message: InboundMessage, words: Iterable[str]) -> list[str]:
    found = [word for word in words if word]
    if not found:
        return []
    text = f"{message.title or ''}\n{message.text}".casefold()
    return [f'says "{word}"' for word in found if word.casefold() in text]

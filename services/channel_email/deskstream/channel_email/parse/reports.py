"""Delivery status notifications (RFC 3464): which mail it is about, and what became of it."""

from collections.abc import Iterator

from deskstream.channel_email.parse.addresses import read_ids
from deskstream.channel_email.parse.headers import Headers, read_headers
from deskstream.channel_email.parse.parsed import Report
from deskstream.channel_email.parse.structure import Part

MAX_STATUS_BYTES = 64 * 1024
MAX_DIAGNOSTIC = 300

# What matters more to whoever waits for an answer comes first.
_WORST_FIRST = ("failed", "delayed", "expanded", "relayed", "delivered")


def read_report(root: Part) -> Report | None:
    """The report, or None when this is no delivery status notification."""
    if root.media_type != "multipart/report":
        return None
    statuses = [part for part in root.children if part.media_type == "message/delivery-status"]
    if not statuses:
        return None
    reports = list(_recipients(statuses[0].content()[:MAX_STATUS_BYTES], _original_id(root)))
    return min(reports, key=lambda report: _WORST_FIRST.index(report.action), default=None)


def _recipients(status: bytes, original: str | None) -> Iterator[Report]:
    for group in status.replace(b"\r\n", b"\n").split(b"\n\n"):
        fields = read_headers(group)
        action = fields.ascii("action").lower()
        if action in _WORST_FIRST:
            yield Report(
                action=action,
                status=fields.ascii("status")[:20],
                recipient=_typed(fields, "final-recipient")[:320].lower(),
                diagnostic=_typed(fields, "diagnostic-code")[:MAX_DIAGNOSTIC],
                original_id=original,
            )


def _typed(fields: Headers, name: str) -> str:
    """`rfc822; a@b` -> `a@b`."""
    return fields.words(name).partition(";")[2].strip()


def _original_id(root: Part) -> str | None:
    for part in root.children:
        match part.media_type:
            case "message/rfc822" if part.children:
                ids = read_ids(part.children[0].headers.all("message-id"))
            case "message/rfc822-headers" | "text/rfc822-headers":
                ids = read_ids(read_headers(part.content()[:MAX_STATUS_BYTES]).all("message-id"))
            case _:
                continue
        if ids:
            return ids[0]
    return None

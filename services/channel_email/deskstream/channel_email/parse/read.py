"""From bytes to a `ParsedMail`: the whole reading of one mail, in the order in which things are looked at."""

import hashlib
from dataclasses import dataclass, replace

from deskstream.channel_email.parse.addresses import read_addresses, read_date, read_ids, read_message_id
from deskstream.channel_email.parse.bodies import Body, read_body
from deskstream.channel_email.parse.charsets import clean_line
from deskstream.channel_email.parse.forwards import find_forwarded
from deskstream.channel_email.parse.headers import Headers
from deskstream.channel_email.parse.names import clean_name
from deskstream.channel_email.parse.parsed import (
    MAX_FILE_BYTES,
    MAX_MAIL_BYTES,
    File,
    Forwarded,
    ParsedMail,
    Unreadable,
)
from deskstream.channel_email.parse.quotes import fold
from deskstream.channel_email.parse.reports import read_report
from deskstream.channel_email.parse.sanitise import sanitise
from deskstream.channel_email.parse.structure import Part, read_structure

MAX_SUBJECT = 500
MAX_MARK = 300
NOTHING_SAID = "(empty)"

_MARKS = frozenset(
    {
        "auto-submitted",
        "precedence",
        "x-auto-response-suppress",
        "x-autoreply",
        "x-autorespond",
        "x-auto-reply",
        "x-spam-flag",
        "x-spam-status",
        "authentication-results",
        "content-language",
        "x-failed-recipients",
    }
)
_FOR_MACHINES = frozenset({"message/delivery-status", "message/disposition-notification"})
_SHOWN = frozenset({"from", "to", "cc", "subject"})
_WAY_INDEPENDENT = ("from", "to", "cc", "date", "subject", "message-id")


@dataclass(frozen=True, slots=True)
class ReadMail:
    """A mail and the bytes of its files, in their order."""

    mail: ParsedMail
    contents: tuple[bytes, ...]


def read_mail(raw: bytes) -> ReadMail:
    """Reads a mail. Raises `Unreadable` when it is beyond what anybody writes by hand."""
    if len(raw) > MAX_MAIL_BYTES:
        raise Unreadable("too_big", f"Mails over {MAX_MAIL_BYTES // 1024 // 1024} MiB are not taken.")
    root = read_structure(raw)
    body = read_body(root)
    files, contents, ignored = _files(body.files)
    folded = fold(body.text)
    html, problems = _shown_html(body)
    cut = ("header_cut",) if root.headers.cut & _SHOWN else ()
    mail = replace(
        _header(root),
        text=folded.text or ("" if files else NOTHING_SAID),
        quoted=folded.quoted,
        html=html,
        files=files,
        flags=(*problems, *ignored, *cut),
        forwarded=_forwarded(root, body.text),
    )
    return ReadMail(mail, contents)


def _header(root: Part) -> ParsedMail:
    """What is known before the body is looked at."""
    headers = root.headers
    return ParsedMail(
        content_sha256=_content_sha256(root),
        message_id=read_message_id(headers.all("message-id")),
        sender=next(iter(read_addresses(headers.all("from") or headers.all("sender"))), None),
        reply_to=read_addresses(headers.all("reply-to")),
        to=read_addresses(headers.all("to")),
        cc=read_addresses(headers.all("cc")),
        subject=headers.words("subject")[:MAX_SUBJECT],
        sent_at=read_date(headers.first("date")),
        in_reply_to=read_ids(headers.all("in-reply-to")),
        references=read_ids(headers.all("references")),
        marks=_marks(root),
        report=read_report(root),
    )


def _files(parts: list[Part]) -> tuple[tuple[File, ...], tuple[bytes, ...], tuple[str, ...]]:
    parts = [part for part in parts if part.media_type not in _FOR_MACHINES]
    kept = [part for part in parts if part.media_type != "application/ms-tnef"]
    contents = tuple(part.content() for part in kept)
    if any(len(content) > MAX_FILE_BYTES for content in contents):
        raise Unreadable("file_too_big", f"Attachments over {MAX_FILE_BYTES // 1024 // 1024} MiB are not taken.")
    files = tuple(
        File(
            name=clean_name(_name(part), part.media_type, number),
            media_type=part.media_type,
            size=len(content),
            content_id=clean_line(part.content_id or "")[:200] or None,
        )
        for number, (part, content) in enumerate(zip(kept, contents, strict=True), start=1)
    )
    return files, contents, ("winmail_ignored",) if len(kept) < len(parts) else ()


def _name(part: Part) -> str:
    if part.name or part.media_type != "message/rfc822" or not part.children:
        return part.name
    return f"{part.children[0].headers.words('subject') or 'mail'}.eml"


def _shown_html(body: Body) -> tuple[str | None, tuple[str, ...]]:
    if body.cut:
        return None, ("body_cut",)
    if not body.html:
        return None, ()
    html = sanitise(body.html)
    return html or None, ("html_too_deep",) if html is None else ()


def _marks(root: Part) -> dict[str, str]:
    marks: dict[str, str] = {}
    for name, _ in root.headers.fields:
        if name in _MARKS or name.startswith("list-"):
            marks.setdefault(name[:60], root.headers.words(name)[:MAX_MARK])
    if root.media_type == "multipart/report":
        marks["content-type"] = clean_line(root.headers.ascii("content-type"))[:MAX_MARK]
    return marks


def _forwarded(root: Part, text: str) -> Forwarded | None:
    inside = next(
        (part.children[0] for part in root.children if part.media_type == "message/rfc822" and part.children), None
    )
    if inside is None:
        return find_forwarded(text)
    sender = next(iter(read_addresses(inside.headers.all("from"))), None)
    return Forwarded(sender, read_body(inside).text.strip(), text.strip(), marked=True) if sender else None


def _content_sha256(root: Part) -> str:
    digest = hashlib.sha256()
    for name in _WAY_INDEPENDENT:
        digest.update(b"\n".join(_squeezed(root.headers, name)) + b"\0")
    digest.update(memoryview(root.raw)[root.start :])
    return digest.hexdigest()


def _squeezed(headers: Headers, name: str) -> list[bytes]:
    # Servers on the way may fold a field anew.
    return [b" ".join(value.split()) for value in headers.all(name)]

"""Whether a person wrote it: RFC 3834 and what mail programs do instead."""

import re

from deskstream.channel_email.parse.parsed import ParsedMail
from deskstream.channel_email.rules import Rules
from deskstream.contracts.inbound import Automatic, AutomaticKind

_KEYWORD = re.compile(r"[a-z-]{1,60}")
_ANSWERS_BY_THEMSELVES = ("x-autoreply", "x-auto-reply", "x-autorespond")
_PRECEDENCE = {
    "auto_reply": AutomaticKind.AUTO_REPLY,
    "list": AutomaticKind.LIST,
    "bulk": AutomaticKind.GENERATED,
    "junk": AutomaticKind.GENERATED,
}


def automatic_kind(mail: ParsedMail, mail_from: str, rules: Rules) -> Automatic | None:
    """The strongest sign that no person wrote it, or None."""
    return _bounce(mail) or _answer(mail) or _list(mail, rules) or _null_return_path(mail, mail_from)


def no_auto_answer(mail: ParsedMail) -> bool:
    """`X-Auto-Response-Suppress` with anything but `None` in it (Exchange, [MS-OXCMAIL] 2.2.3.2.14)."""
    return mail.marks.get("x-auto-response-suppress", "none").lower() != "none"


def spam_marks(mail: ParsedMail, rules: Rules) -> tuple[str, ...]:
    """What servers on the way thought of it."""
    marks = []
    if mail.marks.get("x-spam-flag", "").lower().startswith("yes"):
        marks.append("X-Spam-Flag: YES")
    elif mail.marks.get("x-spam-status", "").lower().startswith("yes"):
        marks.append(f"X-Spam-Status: {mail.marks['x-spam-status'][:100]}")
    if "dmarc=fail" in _believed_results(mail, rules):
        marks.append("Authentication-Results: dmarc=fail")
    if mail.sender and rules.is_ours(mail.sender.email):
        marks.append("the sender's address is one of ours")
    return tuple(marks)


def _bounce(mail: ParsedMail) -> Automatic | None:
    if mail.report is not None:
        return _automatic(AutomaticKind.BOUNCE, f"delivery status notification: {mail.report.action}")
    if "x-failed-recipients" in mail.marks:
        return _automatic(AutomaticKind.BOUNCE, "X-Failed-Recipients")
    return None


def _answer(mail: ParsedMail) -> Automatic | None:
    submitted = _KEYWORD.match(mail.marks.get("auto-submitted", "no").lower())
    if submitted and submitted.group() != "no":
        kind = AutomaticKind.AUTO_REPLY if submitted.group() == "auto-replied" else AutomaticKind.GENERATED
        return _automatic(kind, f"Auto-Submitted: {submitted.group()}")
    for name in _ANSWERS_BY_THEMSELVES:
        if mail.marks.get(name, "no").lower() != "no":
            return _automatic(AutomaticKind.AUTO_REPLY, name.title())
    if "disposition-notification" in mail.marks.get("content-type", "").lower():
        return _automatic(AutomaticKind.AUTO_REPLY, "read receipt")
    return None


def _list(mail: ParsedMail, rules: Rules) -> Automatic | None:
    list_id = mail.marks.get("list-id", "").lower()
    if any(ours in list_id for ours in rules.lists):
        return None
    precedence = mail.marks.get("precedence", "").lower()
    if precedence in _PRECEDENCE:
        return _automatic(_PRECEDENCE[precedence], f"Precedence: {precedence}")
    named = next((name for name in mail.marks if name.startswith("list-")), None)
    return _automatic(AutomaticKind.LIST, named.title()) if named else None


def _null_return_path(mail: ParsedMail, mail_from: str) -> Automatic | None:
    if mail_from:
        return None
    answers = bool(mail.in_reply_to or mail.references)
    return _automatic(AutomaticKind.AUTO_REPLY if answers else AutomaticKind.GENERATED, "null return path")


def _believed_results(mail: ParsedMail, rules: Rules) -> str:
    results = mail.marks.get("authentication-results", "").lower()
    server = results.partition(";")[0].split()[:1]
    return results if rules.authserv and server == [rules.authserv] else ""


def _automatic(kind: AutomaticKind, reason: str) -> Automatic:
    return Automatic(kind=kind, reason=reason)

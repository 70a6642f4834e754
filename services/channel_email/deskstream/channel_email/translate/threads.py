"""Which thread a mail belongs to: signed tokens in its recipients and in ids of ours, then the ids it answers."""

from collections.abc import Iterable, Iterator

from deskstream.channel_email.domain import Bounce
from deskstream.channel_email.message_ids import looks_like_token, read_our_id
from deskstream.channel_email.parse.parsed import ParsedMail
from deskstream.channel_email.rules import Rules, plus_of
from deskstream.channel_email.translate.fit import REFERENCES_BYTES, within
from deskstream.contracts import thread_token
from deskstream.contracts.ids import ReplyId
from deskstream.contracts.inbound import ThreadHints

MAX_HINTS = 50


def thread_hints(mail: ParsedMail, recipients: Iterable[str], rules: Rules) -> ThreadHints:
    """Tokens and references, the strongest and nearest first; subjects never count."""
    nearest_first = _answered_ids(mail)
    tokens = dict.fromkeys((*_of_recipients(mail, recipients, rules), *_of_ids(mail, nearest_first)))
    return ThreadHints(
        tokens=tuple(tokens)[:MAX_HINTS],
        references=within(nearest_first, REFERENCES_BYTES)[:MAX_HINTS],
    )


def answered_reply(mail: ParsedMail, rules: Rules) -> ReplyId | None:
    """Which of our replies it answers: the nearest one whose id we signed."""
    ours = (found for message_id in _answered_ids(mail) if (found := read_our_id(message_id)))
    return next((one.reply_id for one in ours if thread_token.read(one.token, rules.secret)), None)


def bounce_of(mail: ParsedMail, rules: Rules) -> Bounce | None:
    """The reply that came back, when the report returns an id that we signed."""
    report = mail.report
    ours = read_our_id(report.original_id) if report and report.original_id else None
    thread = thread_token.read(ours.token, rules.secret) if ours else None
    if report is None or ours is None or thread is None:
        return None
    return Bounce(thread.conversation, ours.reply_id, report.action, report.status, report.diagnostic)


def is_own_echo(mail: ParsedMail, rules: Rules) -> bool:
    """Whether this is a mail that we sent ourselves, back by some list or forwarding."""
    ours = read_our_id(mail.message_id) if mail.message_id else None
    return ours is not None and thread_token.read(ours.token, rules.secret) is not None


def _answered_ids(mail: ParsedMail) -> tuple[str, ...]:
    """The nearest first."""
    return tuple(dict.fromkeys((*mail.in_reply_to, *reversed(mail.references))))


def _of_recipients(mail: ParsedMail, recipients: Iterable[str], rules: Rules) -> Iterator[str]:
    named = (address.email for address in (*mail.to, *mail.cc))
    for address in (*recipients, *named):
        token = plus_of(address)
        if rules.inbox_of(address) and looks_like_token(token):
            yield token


def _of_ids(mail: ParsedMail, references: Iterable[str]) -> Iterator[str]:
    returned = [mail.report.original_id] if mail.report and mail.report.original_id else []
    for message_id in (*references, *returned):
        ours = read_our_id(message_id)
        if ours is not None:
            yield ours.token

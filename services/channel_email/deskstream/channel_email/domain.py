"""The rules of mail: what one mail says, the same mail by two routes, one id used for two mails, bounces."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from deskstream.contracts.ids import ConversationId, ReplyId
from deskstream.contracts.inbound import DeliveryReported, DeliveryState, InboundMessage
from deskstream.contracts.outbound import OutboundMessage

REPEATED: Final = "message_id_repeated"
"""The flag of a message whose id came before with another content."""

AUTOMATIC_AN_HOUR: Final = 10
HARD_BOUNCES: Final = 3

_SAID: Final = {"sender", "title", "text", "quoted", "html", "body_blob", "attachments"}
_REPORTED: Final = {"failed": DeliveryState.FAILED, "delivered": DeliveryState.DELIVERED}


Said: TypeAlias = InboundMessage | DeliveryReported


@dataclass(frozen=True, slots=True)
class Bounce:
    """A delivery status notification about a reply of ours, known by the signed token that was in its id."""

    conversation_id: ConversationId
    reply_id: ReplyId
    action: str
    status: str = ""
    diagnostic: str = ""


@dataclass(frozen=True, slots=True)
class AcceptMail:
    """A mail that was read and may be taken; asked within the process by the SMTP server."""

    message: InboundMessage
    bounce: Bounce | None = None

    @property
    def key(self) -> str:
        """Of all mails with this Message-ID."""
        return hashlib.sha256(self.message.external_id.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Accepted:
    """One mail that was taken. `hard_bounce_of` names the reply whose recipient does not exist."""

    external_id: str
    fingerprint: bytes
    raw: str
    at: datetime
    hard_bounce_of: UUID | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """All that came with one Message-ID. `kept` of the accepted ones were there before."""

    key: str
    accepted: tuple[Accepted, ...] = ()
    kept: int = 0


def decide(mail: Mail, asked: AcceptMail, now: datetime) -> list[Said]:
    """Nothing for a mail that is here already; else the message, and the report that a bounce is."""
    message = asked.message
    print_of_it = fingerprint(message)
    if any(known.fingerprint == print_of_it or known.raw == message.raw_blob for known in mail.accepted):
        return []
    changes: dict[str, object] = {"at": now}
    if mail.accepted:
        changes["external_id"] = f"{message.external_id}#{print_of_it.hex()[:8]}"
        changes["flags"] = (*message.flags, REPEATED)
    said: list[Said] = [message.model_copy(update=changes)]
    if asked.bounce is not None and asked.bounce.action in _REPORTED:
        said.append(_report(asked.bounce, message, now))
    return said


def evolve(mail: Mail, said: Said) -> Mail:
    match said:
        case InboundMessage():
            taken = Accepted(said.external_id, fingerprint(said), said.raw_blob or "", said.at)
            return replace(mail, accepted=(*mail.accepted, taken))
        case DeliveryReported() if said.permanent and (said.reason or "").startswith("5"):
            *earlier, last = mail.accepted
            return replace(mail, accepted=(*earlier, replace(last, hard_bounce_of=said.reply_id)))
        case _:
            return mail


def fingerprint(message: InboundMessage) -> bytes:
    """Of what a message says, by whatever route it came."""
    return hashlib.sha256(message.model_dump_json(include=_SAID, exclude_defaults=True).encode()).digest()


def _report(bounce: Bounce, message: InboundMessage, now: datetime) -> DeliveryReported:
    state = _REPORTED[bounce.action]
    reason = f"{bounce.status} {bounce.diagnostic}".strip() or "the mail came back"
    return DeliveryReported(
        channel=message.channel,
        inbox=message.inbox,
        at=now,
        conversation_id=bounce.conversation_id,
        reply_id=bounce.reply_id,
        state=state,
        reason=reason if state is DeliveryState.FAILED else None,
        # Servers tell of a failure only once they have given up.
        permanent=state is DeliveryState.FAILED,
    )


@dataclass(frozen=True, slots=True)
class History:
    """What went out before a mail: automatic ones of its conversation within the hour, automatic replies from its inbox
    to its recipient within the day, and bounces of its recipient."""

    automatic_within_hour: int = 0
    auto_replies_within_day: int = 0
    hard_bounces: int = 0


def is_auto_reply(message: OutboundMessage) -> bool:
    """Whether it answers a message that came in, and nobody wrote it; other automatic mail follows from something that
    happened here, as a reminder does when its time has come."""
    return message.automatic and message.in_reply_to is not None and not message.reminds


class Refusal(NamedTuple):
    """Why a mail must not leave."""

    reason: str
    may_be_a_loop: bool = False


def refusal(history: History, *, automatic: bool, auto_reply: bool = False) -> Refusal | None:
    """Whether a mail must not leave."""
    if history.hard_bounces >= HARD_BOUNCES:
        return Refusal(f"the address came back {history.hard_bounces} times as unknown: nothing more is sent there")
    if automatic and history.automatic_within_hour >= AUTOMATIC_AN_HOUR:
        reason = f"{AUTOMATIC_AN_HOUR} automatic messages went to this conversation within an hour: this may be a loop"
        return Refusal(reason, may_be_a_loop=True)
    if auto_reply and history.auto_replies_within_day:
        reason = "an automatic reply went from this inbox to this address within the last 24 hours: this may be a loop"
        return Refusal(reason, may_be_a_loop=True)
    return None

"""All SQL of the mail channel: mails taken, mails refused, mails sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from deskstream.channel_email.domain import Accepted, History, Mail
from deskstream.channel_email.parse.charsets import clean_line
from deskstream.contracts.outbound import OutboundMessage
from deskstream.messaging import Tx

_LOAD = """
SELECT key, external_id, fingerprint, raw_sha256, hard_bounce_of, at
FROM mails
WHERE key = ANY($1::text[])
ORDER BY key, nth
"""

_SAVE = """
INSERT INTO mails (key, nth, external_id, fingerprint, raw_sha256, hard_bounce_of, at)
SELECT key, nth, external_id, fingerprint, raw_sha256, hard_bounce_of, at
FROM unnest($1::text[], $2::int[], $3::text[], $4::bytea[], $5::text[], $6::uuid[], $7::timestamptz[])
    AS new(key, nth, external_id, fingerprint, raw_sha256, hard_bounce_of, at)
ORDER BY key, nth
"""

_REJECT = """
INSERT INTO rejected_mails (reason, sentence, sha256, size, mail_from, recipients)
VALUES ($1, $2, $3, $4, $5, $6)
"""

_HISTORY = """
SELECT
    (
        SELECT count(*)
        FROM sent_mails
        WHERE conversation_id = $1 AND automatic AND said_at > $3::timestamptz - interval '1 hour' AND reply_id <> $4
    ) AS automatic_within_hour,
    (
        SELECT count(*)
        FROM auto_replies
        WHERE recipient = lower($2) AND inbox = $5 AND said_at > $3::timestamptz - interval '24 hours'
          AND reply_id <> $4
    ) AS auto_replies_within_day,
    (
        SELECT count(DISTINCT m.hard_bounce_of)
        FROM sent_mails s
        JOIN mails m ON m.hard_bounce_of = s.reply_id
        WHERE s.recipient = $2 AND m.at > $3::timestamptz - interval '90 days'
    ) AS hard_bounces
"""

# Held to the end of the transaction: of two automatic replies to one address the second sees the first.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"

_AUTO_REPLY = """
INSERT INTO auto_replies (reply_id, recipient, inbox, said_at)
VALUES ($1, lower($2), $3, $4)
ON CONFLICT (reply_id) DO NOTHING
"""

_SENT = """
INSERT INTO sent_mails (reply_id, conversation_id, recipient, external_id, automatic, said_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (reply_id) DO NOTHING
"""

_LOOK_UP = """
SELECT external_id
FROM sent_mails
WHERE reply_id = $1
"""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A mail that was refused, and why."""

    reason: str
    sentence: str
    sha256: str | None
    size: int
    mail_from: str
    recipients: tuple[str, ...]


async def load(tx: Tx, keys: Sequence[str]) -> dict[str, Mail]:
    accepted: dict[str, list[Accepted]] = {key: [] for key in keys}
    for row in await tx.fetch(_LOAD, list(keys)):
        accepted[row["key"]].append(
            Accepted(
                external_id=row["external_id"],
                fingerprint=row["fingerprint"],
                raw=row["raw_sha256"],
                at=row["at"],
                hard_bounce_of=row["hard_bounce_of"],
            )
        )
    return {key: Mail(key, tuple(found), kept=len(found)) for key, found in accepted.items()}


async def save(tx: Tx, mails: Sequence[Mail]) -> None:
    new = [(mail.key, nth, mail.accepted[nth]) for mail in mails for nth in range(mail.kept, len(mail.accepted))]
    await tx.execute(
        _SAVE,
        [key for key, _, _ in new],
        [nth for _, nth, _ in new],
        [taken.external_id for _, _, taken in new],
        [taken.fingerprint for _, _, taken in new],
        [taken.raw for _, _, taken in new],
        [taken.hard_bounce_of for _, _, taken in new],
        [taken.at for _, _, taken in new],
    )


async def reject(tx: Tx, rejected: Rejected) -> None:
    await tx.execute(
        _REJECT,
        rejected.reason,
        rejected.sentence,
        rejected.sha256,
        rejected.size,
        clean_line(rejected.mail_from),
        [clean_line(recipient) for recipient in rejected.recipients],
    )


async def history(tx: Tx, message: OutboundMessage) -> History:
    """What went before this message, itself not counted."""
    row = await tx.fetchrow(
        _HISTORY, message.conversation_id, message.to.email, message.at, message.reply_id, message.inbox
    )
    assert row is not None
    return History(row["automatic_within_hour"], row["auto_replies_within_day"], row["hard_bounces"])


async def lock_recipient(tx: Tx, message: OutboundMessage) -> None:
    """Until the transaction ends nobody else begins an automatic reply to this address."""
    await tx.execute(_LOCK, f"auto reply {message.inbox} {(message.to.email or '').lower()}")


async def note_auto_reply(tx: Tx, message: OutboundMessage) -> None:
    """From now on it counts, whatever becomes of it."""
    await tx.execute(_AUTO_REPLY, message.reply_id, message.to.email or "", message.inbox, message.at)


async def note_sent(tx: Tx, message: OutboundMessage, external_id: str) -> None:
    await tx.execute(
        _SENT,
        message.reply_id,
        message.conversation_id,
        message.to.email,
        external_id,
        message.automatic,
        message.at,
    )


async def look_up(tx: Tx, reply_id: UUID) -> str | None:
    """The id under which a reply was sent, if the sending was noted."""
    found: str | None = await tx.fetchval(_LOOK_UP, reply_id)
    return found

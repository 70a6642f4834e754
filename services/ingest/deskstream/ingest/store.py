"""All SQL of ingest: the archive, the threads and who was seen in them, the counts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from deskstream.contracts import Command
from deskstream.contracts.ids import ThreadId
from deskstream.contracts.inbound import DeliveryReported, InboundMessage
from deskstream.contracts.ingest import ChannelCounts, InboundCounts
from deskstream.ingest.domain import (
    REUSED,
    Arrived,
    Breach,
    Broken,
    Doubled,
    Found,
    Incoming,
    Known,
    Original,
    Repeated,
    Reported,
    Thread,
    Wanted,
    fate_of,
    message_key,
)
from deskstream.messaging import Tx

_LOOK_UP: Final = """
SELECT 'archived' AS what, NULL::bytea AS key, id, NULL::uuid AS thread_id, NULL::bytea AS fingerprint
FROM archive
WHERE id = ANY($1::uuid[])
UNION ALL
SELECT 'original', external_key, id, thread_id, fingerprint
FROM archive
WHERE external_key = ANY($2::bytea[])
UNION ALL
SELECT 'link', key, NULL, thread_id, NULL
FROM links
WHERE key = ANY($3::bytea[])
"""

# One round trip for everything that is new. A second ingest that was faster makes this fail, and the batch, run again,
# finds what that one archived.
_ARCHIVE: Final = """
WITH kept AS (
    INSERT INTO archive (id, subject, channel, inbox, kind, fate, external_id, thread_id, original_id, field, reason,
                         fingerprint, external_key, body, sha256, size, received_at)
    SELECT id, subject, channel, inbox, kind, fate, external_id, thread_id, original_id, field, reason,
           fingerprint, external_key, body, sha256(body), octet_length(body), $1
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::uuid[],
                $10::uuid[], $11::text[], $12::text[], $13::bytea[], $14::bytea[], $15::bytea[])
        WITH ORDINALITY
        AS new(id, subject, channel, inbox, kind, fate, external_id, thread_id, original_id, field, reason,
               fingerprint, external_key, body, place)
    ORDER BY place
    RETURNING channel, fate, reason
), counted AS (
    INSERT INTO counts (channel, fate, number, reused_ids)
    SELECT channel, fate, count(*), count(*) FILTER (WHERE reason = $18)
    FROM kept
    GROUP BY channel, fate
    ORDER BY channel, fate
    ON CONFLICT (channel, fate) DO UPDATE
    SET number = counts.number + excluded.number, reused_ids = counts.reused_ids + excluded.reused_ids
)
INSERT INTO links (key, thread_id)
SELECT key, thread_id
FROM unnest($16::bytea[], $17::uuid[]) AS new(key, thread_id)
ORDER BY key
"""

_LOAD: Final = """
SELECT t.id,
       ARRAY(SELECT p.identity FROM participants p WHERE p.thread_id = t.id AND NOT p.stranger) AS members,
       ARRAY(SELECT p.identity FROM participants p WHERE p.thread_id = t.id AND p.stranger) AS strangers
FROM threads t
WHERE t.id = ANY($1::uuid[])
ORDER BY t.id
FOR UPDATE
"""

_SAVE: Final = """
WITH opened AS (
    INSERT INTO threads (id, channel, inbox, via, opened_at)
    SELECT id, channel, inbox, via, opened_at
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
        AS new(id, channel, inbox, via, opened_at)
    ORDER BY id
)
INSERT INTO participants (thread_id, identity, stranger, joined_at)
SELECT thread_id, identity, stranger, joined_at
FROM unnest($6::uuid[], $7::text[], $8::boolean[], $9::timestamptz[])
    AS new(thread_id, identity, stranger, joined_at)
ORDER BY thread_id, identity
"""

_COUNTS: Final = """
SELECT channel, fate, number
FROM counts
UNION ALL
SELECT split_part(lane, '.', 2), CASE state WHEN 'dead' THEN 'dead' ELSE 'waiting' END AS fate, count(*)
FROM waiting
GROUP BY 1, 2
UNION ALL
SELECT split_part(lane, '.', 2), 'dropped', count(*)
FROM dropped
GROUP BY 1
ORDER BY channel, fate
"""


_REUSED_IDS: Final = """
SELECT channel, sum(reused_ids)
FROM counts
GROUP BY channel
"""


async def look_up(tx: Tx, wanted: Wanted) -> Known:
    """What is known of these keys."""
    known = Known()
    rows = await tx.fetch(_LOOK_UP, wanted.archive_ids, wanted.message_keys, wanted.link_keys)
    for what, key, id_, thread_id, fingerprint in rows:
        if what == "archived":
            known.archived.add(id_)
        elif what == "original":
            known.originals[key] = Original(id_, thread_id, fingerprint)
        else:
            known.links[key] = thread_id
    return known


async def archive(
    tx: Tx, batch: Sequence[tuple[Incoming, Found]], new_links: dict[bytes, ThreadId], now: datetime
) -> None:
    """Keeps what arrived, in order, with its fate; counts it; remembers the new names of threads."""
    rows = [_row(incoming, found) for incoming, found in batch if not isinstance(found, Repeated)]
    if rows:
        columns = map(list, zip(*rows, strict=True))
        await tx.execute(_ARCHIVE, now, *columns, list(new_links), list(new_links.values()), REUSED)


async def load(tx: Tx, keys: Sequence[str]) -> dict[str, Thread]:
    """The threads of these ids, locked; one that is not stored is unopened."""
    threads = {key: Thread.unopened(key) for key in keys}
    for id_, members, strangers in await tx.fetch(_LOAD, [UUID(key) for key in threads]):
        threads[str(id_)] = Thread(str(id_), stored=True, members=frozenset(members), strangers=frozenset(strangers))
    return threads


async def save(tx: Tx, threads: Sequence[Thread]) -> None:
    """Writes what is new in them: those that opened, and who joined."""
    opened = [(UUID(thread.id), thread.opened) for thread in threads if thread.opened]
    joined = [(UUID(thread.id), one) for thread in threads for one in thread.joined]
    if not opened and not joined:
        return
    await tx.execute(
        _SAVE,
        [id_ for id_, _ in opened],
        [how.channel for _, how in opened],
        [how.inbox for _, how in opened],
        [how.via for _, how in opened],
        [how.at for _, how in opened],
        [id_ for id_, _ in joined],
        [one.identity for _, one in joined],
        [one.stranger for _, one in joined],
        [one.at for _, one in joined],
    )


async def counts(tx: Tx) -> InboundCounts:
    """What became of everything that was received, by channel."""
    channels: dict[str, dict[str, int]] = {}
    for channel, fate, number in await tx.fetch(_COUNTS):
        channels.setdefault(channel, {})[fate] = number
    return InboundCounts(
        channels={channel: ChannelCounts(received=sum(fates.values()), **fates) for channel, fates in channels.items()}
    )


async def reused_ids(tx: Tx) -> dict[str, int]:
    """How often an id came again with another content, by channel."""
    return {channel: int(number) for channel, number in await tx.fetch(_REUSED_IDS)}


async def count_inbound(tx: Tx, asked: Command) -> dict[str, Any]:
    """The answer to `CountInbound`."""
    return (await counts(tx)).model_dump(mode="json")


def _row(incoming: Incoming, found: Arrived | Doubled | Broken | Reported) -> tuple[object, ...]:
    key = message_key(found.channel, found.message.external_id) if isinstance(found, Arrived) else None
    original = found.original_id if isinstance(found, Doubled) else None
    breach = found.breach if isinstance(found, Broken) else None
    return (
        incoming.id,
        incoming.subject,
        incoming.channel,
        incoming.inbox,
        _kind(incoming),
        fate_of(found),
        incoming.content.external_id,
        _thread_of(found),
        original,
        breach.field if breach else None,
        breach.reason if breach else None,
        incoming.fingerprint,
        key,
        incoming.body,
    )


def _kind(incoming: Incoming) -> str:
    match incoming.content:
        case InboundMessage():
            return "message"
        case DeliveryReported():
            return "delivery"
        case Breach():
            return "unreadable"


def _thread_of(found: Arrived | Doubled | Broken | Reported) -> UUID | None:
    match found:
        case Arrived() | Doubled():
            return found.thread_id
        case Reported():
            return found.report.conversation_id
        case Broken():
            return None

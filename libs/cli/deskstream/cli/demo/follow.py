"""Chapter four: one mail, hop by hop."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from deskstream.cli.demo.mails import Mail, written
from deskstream.cli.demo.telling import Teller
from deskstream.cli.demo.world import World, until

HOPS = """
SELECT at, 'channel_email' AS service, subject AS said FROM channel_email.journal WHERE body LIKE '%' || $1 || '%'
UNION ALL
SELECT at, 'ingest', subject FROM ingest.journal WHERE correlation = $2
UNION ALL
SELECT at, 'crm', subject FROM crm.journal WHERE correlation = $2
UNION ALL
SELECT at, 'conversation', subject FROM conversation.journal WHERE correlation = $2
UNION ALL
SELECT at, 'routing', subject FROM routing.journal WHERE correlation = $2
UNION ALL
SELECT at, 'sla', subject FROM sla.journal WHERE correlation = $2
ORDER BY at
"""

SAID = 6
"""What a new conversation's mail makes the services say, the adapter's publish included."""

CORRELATION = "SELECT correlation FROM ingest.journal WHERE body LIKE '%' || $1 || '%' LIMIT 1"


async def tell(world: World, teller: Teller) -> None:
    """Each hop with its milliseconds: the mail server's 250, then every service's transaction, then the inbox."""
    teller.chapter("Follow one mail")
    for warm_up in range(3):
        await _through(world, f"warm-{warm_up}@sakura.example")
    started, accepted, visible, mail = await _through(world, "follow-1@sakura.example")
    correlation = await world.database.fetchval(CORRELATION, mail.key)

    async def all_hops() -> list[Any] | None:
        found = await world.database.fetch(HOPS, mail.key, correlation)
        return found if len(found) >= SAID else None

    hops = await until(all_hops, "what every service said")
    teller.table(["ms", "service", "said"], _rows(started, accepted, visible, hops))
    teller.line(f"visible in the inbox {visible * 1000:.0f} ms after the mail server was called", ms=visible * 1000)
    teller.again("deskstream demo --chapter follow")


async def _through(world: World, key: str) -> tuple[datetime, float, float, Mail]:
    mail = written("Yuki Sato <yuki@sakura.example>", "One question", "How long does it take?", key, world.now())
    started, clock = world.now(), time.perf_counter()
    accepted = await world.mail(mail)
    await world.conversation_of(mail.key)
    return started, accepted, time.perf_counter() - clock, mail


def _rows(started: datetime, accepted: float, visible: float, hops: list[Any]) -> list[list[str]]:
    rows = [(accepted, "channel_email", "250 accepted: journaled, and on disk")]
    rows += [((hop["at"] - started).total_seconds() * 1000, hop["service"], _short(hop["said"])) for hop in hops]
    rows.append((visible * 1000, "gateway", "visible in the inbox"))
    return [[f"{ms:6.1f}", service, said] for ms, service, said in sorted(rows)]


def _short(subject: str) -> str:
    return subject if subject.startswith("inbound") else subject.split(".")[2]

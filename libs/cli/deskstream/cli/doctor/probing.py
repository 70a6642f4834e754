"""Whether the broker still takes what is published, and what time it is there."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from nats.errors import NoRespondersError
from nats.js.errors import NotFoundError

from deskstream.cli.asking import Client
from deskstream.cli.doctor.finding import Finding, fine, warning, wrong
from deskstream.contracts import subjects
from deskstream.messaging.arrival import nanoseconds_of
from deskstream.messaging.publishing import refusal_of
from deskstream.messaging.topology import PROBES

Clock: TypeAlias = Callable[[], datetime]

NAME: Final = "doctor"
WITHIN_S: Final = 3.0

SKEW_SEEN: Final = timedelta(seconds=2)
SKEW_WRONG: Final = timedelta(seconds=30)


async def probe(client: Client, clock: Clock) -> list[Finding]:
    """Publishes one small message as services do for their readiness."""
    started, asked = time.perf_counter(), clock()
    try:
        answer = await client.request(subjects.probe(NAME), b"", timeout=WITHIN_S)
    except NoRespondersError:
        return [wrong("publishing", "No stream takes what services try.", "`deskstream provision` makes it.")]
    took = timedelta(seconds=time.perf_counter() - started)
    if refusal := refusal_of(answer):
        mend = "Make room on its disk or raise max_file_store; if it stays so afterwards, restart NATS."
        return [wrong("publishing", f"NATS takes nothing more ({refusal}).", mend)]
    ahead = await _stored_at(client) - (asked + took / 2)
    milliseconds = took.total_seconds() * 1000
    return [fine("publishing", f"NATS stores a message in {milliseconds:.1f} ms."), skew_found(ahead, "NATS's")]


async def _stored_at(client: Client) -> datetime:
    subject = subjects.probe(NAME)
    asked = json.dumps({"last_by_subj": subject}).encode()
    answer = await client.request(f"$JS.API.DIRECT.GET.{PROBES.name}", asked, timeout=WITHIN_S)
    headers = answer.headers or {}
    if "Nats-Time-Stamp" not in headers:
        raise NotFoundError(code=404, description=f"{subject} is not in {PROBES.name}")
    return datetime.fromtimestamp(nanoseconds_of(headers["Nats-Time-Stamp"]) / 1e9, UTC)


def skew_found(skew: timedelta, whose: str = "The database's") -> Finding:
    """What a clock that is so far ahead of this machine's means."""
    off = abs(skew)
    where = "ahead of" if skew > timedelta() else "behind"
    sentence = f"{whose} clock is {off.total_seconds():.1f} s {where} this machine's."
    if off > SKEW_WRONG:
        return wrong("clock", sentence, "Set both by NTP: timers and deadlines follow the database's.")
    if off > SKEW_SEEN:
        return warning("clock", sentence, "Set both by NTP.")
    return fine("clock", f"{whose} clock agrees with this machine's.")

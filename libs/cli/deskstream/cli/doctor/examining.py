"""All checks at once; one that cannot be made is a finding like the others."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from nats.errors import Error as NatsError

from deskstream.cli.asking import Client, connected
from deskstream.cli.database import database
from deskstream.cli.doctor import broker, privileges
from deskstream.cli.doctor.certificates import examine_certificates
from deskstream.cli.doctor.channels import INGEST, channels_untold, sheet_of_channels
from deskstream.cli.doctor.finding import Finding, warning, wrong
from deskstream.cli.doctor.probing import Clock, probe
from deskstream.cli.doctor.readers import sheet_of_readers
from deskstream.cli.doctor.store import examine_store
from deskstream.cli.doctor.surroundings import (
    Healths,
    ask_services,
    examine_doors,
    examine_machine,
    judge_services,
)
from deskstream.cli.doctor.tally import CHECK, Tally, TallySheet, balanced
from deskstream.cli.place import Place, without_password
from deskstream.cli.problem import Problem
from deskstream.messaging import DATABASE_UNWELL, Declaration
from deskstream.runtime.embedded.servers import EmbeddedServers
from deskstream.runtime.launch import reach_of
from deskstream.runtime.settings import RuntimeSettings

WITHIN_S: Final = 30.0
CHECK_WITHIN_S: Final = 10.0
MONITOR: Final = "DESKSTREAM_NATS_MONITOR_URL"

_UNWELL: Final = (*DATABASE_UNWELL, NatsError)
_START_POSTGRES: Final = "Start it, or look at DESKSTREAM_POSTGRES_URL ({})."
_START_NATS: Final = "Start it, or look at DESKSTREAM_NATS_URL."


@dataclass
class Report:
    """Findings in the order in which things depend on each other; and what became of every message."""

    findings: list[Finding]
    tallies: list[Tally] = field(default_factory=list)


def _now() -> datetime:
    return datetime.now(UTC)


async def examine(place: Place, declarations: Sequence[Declaration], clock: Clock = _now) -> Report:
    """The whole report. `clock` is this machine's."""
    settings = place.servers
    postgres = _START_POSTGRES.format(without_password(settings.postgres_url))
    healths: Healths = {}
    found = await asyncio.gather(
        _guarded("NATS", lambda: _with_broker(place, declarations, clock, healths), _START_NATS),
        _guarded("PostgreSQL", lambda: _with_store(settings, declarations, clock), postgres),
        _guarded("doors", lambda: examine_doors(place), "Look at the addresses."),
    )
    sheet = await _sheet(settings, declarations, healths) if not _unreachable(found) else TallySheet()
    here = [*examine_machine(place), *examine_certificates(settings, clock())]
    findings = [*here, *(finding for group in found for finding in group), *sheet.findings]
    return Report(findings, sheet.tallies)


def _unreachable(found: Sequence[list[Finding]]) -> bool:
    """Whether a server is away; then no tally can be drawn up, and that is said already."""
    return any(finding.check in ("NATS", "PostgreSQL") and finding.mend for group in found for finding in group)


async def _with_broker(
    place: Place, declarations: Sequence[Declaration], clock: Clock, healths: Healths
) -> list[Finding]:
    """Also finds out how the services are."""
    denied = list[str]()
    async with connected(reach_of(place.servers), denied=denied) as client:
        names = [declaration.name for declaration in declarations]
        checks: list[tuple[str, Callable[[], Awaitable[list[Finding]]]]] = [
            ("NATS", lambda: broker.answers(client)),
            ("publishing", lambda: probe(client, clock)),
            ("NATS storage", lambda: broker.room(client, _monitor(place))),
            (privileges.BROKER, lambda: privileges.broker_privileges(client, place.servers, declarations)),
            ("streams", lambda: broker.drift(client, declarations)),
            ("lag", lambda: broker.lags(client, declarations)),
            ("services", lambda: _services(client, names, healths)),
        ]
        mend = "Look at the log of NATS; what it denies is told below."
        found = await asyncio.gather(*(_guarded(name, check, mend, CHECK_WITHIN_S) for name, check in checks))
        return [*(finding for group in found for finding in group), *_denials(denied)]


def _denials(denied: Sequence[str]) -> list[Finding]:
    if not denied:
        return []
    more = f" and {len(denied) - 1} more" if len(denied) > 1 else ""
    mend = "Come as the operator: `deskstream provision --permissions` writes its seed and what NATS must let it do."
    return [wrong("NATS permissions", f"NATS denies us what we ask for: {denied[0]}{more}.", mend)]


async def _services(client: Client, names: Sequence[str], healths: Healths) -> list[Finding]:
    healths |= await ask_services(client, names)
    return judge_services(names, healths)


def _monitor(place: Place) -> str | None:
    if given := os.environ.get(MONITOR):
        return given.rstrip("/")
    return EmbeddedServers(place.folder).monitor_url if place.folder else None


async def _with_store(settings: RuntimeSettings, declarations: Sequence[Declaration], clock: Clock) -> list[Finding]:
    async with database(settings.postgres_dsn) as connection:
        return await examine_store(connection, declarations, clock)


async def _sheet(settings: RuntimeSettings, declarations: Sequence[Declaration], healths: Healths) -> TallySheet:
    """Both tallies, or a finding that they could not be drawn up."""
    try:
        async with connected(reach_of(settings), denied=[]) as client, database(settings.postgres_dsn) as connection:
            sheets = [await sheet_of_readers(client, connection, declarations, healths)]
            if INGEST in healths:
                sheets.insert(0, await sheet_of_channels(client))
            elif INGEST in {declaration.name for declaration in declarations}:
                sheets.insert(0, TallySheet(findings=[channels_untold()]))
    except (Problem, *_UNWELL) as error:
        sentence = f"It could not be drawn up ({str(error).rstrip('.') or type(error).__name__})."
        return TallySheet(findings=[warning(CHECK, sentence, "Mend what else is told here, and ask again.")])
    tallies = [tally for sheet in sheets for tally in sheet.tallies]
    findings = [finding for sheet in sheets for finding in sheet.findings]
    return TallySheet(tallies, findings or [balanced(tallies)])


async def _guarded(
    check: str, work: Callable[[], Awaitable[list[Finding]]], mend: str, within: float = WITHIN_S
) -> list[Finding]:
    try:
        return await asyncio.wait_for(work(), within)
    except Problem as problem:
        return [wrong(check, problem.sentence, mend)]
    except _UNWELL as error:
        return [wrong(check, f"It does not answer as it should ({error or type(error).__name__}).", mend)]

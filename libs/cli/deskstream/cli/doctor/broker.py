"""NATS: whether it answers, whether everything is there that the services need, whether anybody falls behind."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Final

import httpx
from nats.js.errors import NotFoundError

from deskstream.cli.asking import Client
from deskstream.cli.doctor.finding import Finding, fine, warning, wrong
from deskstream.cli.output import count_of
from deskstream.cli.provision import DIFFERS, UNCHANGED, planned, wanted
from deskstream.messaging import Declaration
from deskstream.runtime.channels import GROUP

LAG_WORTH_A_LOOK: Final = 1000
SECOND_LOOK_AFTER_S: Final = 1.0
FULL: Final = 0.9
NEARLY_FULL: Final = 0.75


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a reader is behind in a stream, and whether somebody reads for it."""

    pending: int
    """Messages that it has not been given, or has not acknowledged."""
    heard: bool


async def answers(client: Client) -> list[Finding]:
    """Whether NATS answers, and how fast."""
    started = time.perf_counter()
    await client.flush(timeout=3)
    took = (time.perf_counter() - started) * 1000
    version = client.connected_server_version
    return [fine("NATS", f"Version {version.major}.{version.minor}.{version.patch} answers in {took:.1f} ms.")]


async def room(client: Client, monitor: str | None) -> list[Finding]:
    """How full the store is: of the account's own limit, else of the server's, which only its monitoring tells."""
    info = await client.jsm().account_info()
    if info.limits.max_storage > 0:
        return [_filled(info.storage, info.limits.max_storage)]
    if monitor is None:
        sentence = f"{_mib(info.storage)} used. How much there is, only NATS's monitoring tells."
        return [fine("NATS storage", f"{sentence} DESKSTREAM_NATS_MONITOR_URL names it.")]
    async with httpx.AsyncClient(timeout=3) as http:
        try:
            told = (await http.get(f"{monitor}/jsz")).raise_for_status().json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            mend = "Look at DESKSTREAM_NATS_MONITOR_URL, and at `http` in NATS's configuration."
            return [warning("NATS storage", f"{monitor} does not tell ({type(error).__name__}).", mend)]
    return [_filled(told["storage"], told["config"]["max_storage"])]


def _filled(used: int, most: int) -> Finding:
    sentence = f"{_mib(used)} of {_mib(most)} used."
    advice = "Raise max_file_store, or give the streams less time; a full store refuses every publish."
    if used > FULL * most:
        return wrong("NATS storage", sentence, advice)
    return warning("NATS storage", sentence, advice) if used > NEARLY_FULL * most else fine("NATS storage", sentence)


async def drift(client: Client, declarations: Sequence[Declaration]) -> list[Finding]:
    """Whether streams and durables are as the services declare them."""
    changes = await planned(client, declarations)
    differing = [change.what for change in changes if change.how not in (UNCHANGED, DIFFERS)]
    # What provisioning leaves as it is: somebody may have meant it so.
    left = [
        warning("streams", f"{one.what}: {one.why}.", f"{one.mend[:1].upper()}{one.mend[1:]}.")
        for one in changes
        if one.how == DIFFERS
    ]
    if not differing:
        return left or [fine("streams", f"All {len(changes)} streams and durables are as the services declare them.")]
    shown = ", ".join(differing[:5]) + (f" and {len(differing) - 5} more" if len(differing) > 5 else "")
    return [wrong("streams", f"Missing or different: {shown}.", "`deskstream provision` puts them right."), *left]


async def lags(client: Client, declarations: Sequence[Declaration]) -> list[Finding]:
    """How far each reader is behind, and whether it catches up."""
    before = await _look(client, declarations)
    if any(lag.pending > LAG_WORTH_A_LOOK for lag in before.values()):
        await asyncio.sleep(SECOND_LOOK_AFTER_S)
    after = await _look(client, declarations)
    found = [judged(reader, lag, before.get(reader, lag)) for reader, lag in after.items() if lag.pending]
    behind = [finding for finding in found if finding]
    return behind or [fine("lag", f"All {len(after)} readers are up to date.")]


async def _look(client: Client, declarations: Sequence[Declaration]) -> Mapping[tuple[str, str], Lag]:
    lags: dict[tuple[str, str], Lag] = {}
    for durable in wanted(declarations).durables:
        try:
            info = await client.jsm().consumer_info(durable.stream, durable.reader)
        except NotFoundError:
            continue
        pending = (info.num_pending or 0) + (info.num_ack_pending or 0)
        lags[durable.reader, durable.stream] = Lag(pending, heard=bool(info.num_waiting) or bool(info.num_ack_pending))
    return lags


def _start(reader: str) -> str:
    """What is installed here can be run here."""
    installed = reader in entry_points(group=GROUP).names
    return f"Start it: `deskstream run {reader}`" if installed else "Start it where it runs: it is not installed here"


def judged(reader: tuple[str, str], lag: Lag, before: Lag) -> Finding | None:
    """What it means to be so far behind now, and a moment before."""
    name, stream = reader
    what = f"{name} is {count_of(lag.pending, 'message')} behind in {stream}"
    if not lag.heard:
        return wrong("lag", f"{what}, and nobody reads for it.", f"{_start(name)}, or look at its log.")
    if lag.pending <= LAG_WORTH_A_LOOK:
        return None
    if lag.pending < before.pending:
        return warning("lag", f"{what}, and is catching up.", "Wait; look again in a minute.")
    return wrong("lag", f"{what}, and is not catching up.", f"Look at the log of {name}, or run more replicas of it.")


def _mib(size: int) -> str:
    return f"{size / 1024 / 1024:,.0f} MiB"

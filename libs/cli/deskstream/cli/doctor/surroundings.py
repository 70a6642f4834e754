"""What stands around the servers: services, HTTP, mail, disk, the process of `up`."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

import httpx
from nats.errors import Error as NatsError

from deskstream.cli.asking import Client
from deskstream.cli.doctor.finding import Finding, fine, warning, wrong
from deskstream.cli.place import Place
from deskstream.contracts.health import HealthRead, ReadHealth
from deskstream.messaging import commands
from deskstream.messaging.item import Fate
from deskstream.messaging.timers import TIMERS
from deskstream.runtime.embedded.home import home_folder_of_root

ANSWER_WITHIN_S: Final = 3.0
"""A service whose servers hang has found that out after two."""
GIB: Final = 1024**3
LITTLE: Final = 1 * GIB
SOON_LITTLE: Final = 5 * GIB


Healths: TypeAlias = dict[str, HealthRead]


async def ask_services(client: Client, names: Sequence[str]) -> Healths:
    """How each service says that it is; those that do not answer are left out."""
    answers = await asyncio.gather(*(_health_of(client, name) for name in names))
    return {name: health for name, health in zip(names, answers, strict=True) if health is not None}


def judge_services(names: Sequence[str], healths: Healths) -> list[Finding]:
    """Whether each service answers, and can do its work."""
    findings = [
        wrong("services", f"{name} does not answer.", f"Start it: `deskstream up`, or `deskstream run {name}`.")
        for name in names
        if name not in healths
    ]
    for name, health in healths.items():
        if health.problem:
            mend = f"Nobody should send it work before that is mended; the log of {name} says more."
            findings.append(wrong("services", f"{name} is not ready: {health.problem}.", mend))
        if failed := health.handled.get(TIMERS, {}).get(Fate.FAILED, 0):
            sentence = f"{name} failed {failed:,} times since its start when a timer was due."
            mend = f"It tries again each minute; the log of {name} names object and error, under `handler_failed`."
            findings.append(warning("timers", sentence, mend))
    return findings or [fine("services", f"All {len(names)} answer and are ready: {', '.join(names)}.")]


async def examine_doors(place: Place) -> list[Finding]:
    """HTTP and mail, where their addresses are known."""
    doors = []
    if place.api_url:
        doors.append(_http_answers(place.api_url))
    if place.smtp:
        doors.append(_mail_answers(place.mail_server))
    return list(await asyncio.gather(*doors))


def examine_machine(place: Place) -> list[Finding]:
    """This machine, as far as data lie on it."""
    findings = []
    if place.state and not place.state.alive:
        mend = "`deskstream up` starts it again; what was accepted is not lost."
        findings.append(wrong("process", f"The process {place.state.pid} of `up` was ended by force.", mend))
    if place.folder:
        # Root's servers keep their data elsewhere.
        folders = [place.folder, home_folder_of_root(place.folder)]
        findings.append(_disk(min((folder for folder in folders if folder.exists()), key=_free)))
    return findings


def _disk(folder: Path) -> Finding:
    free = _free(folder)
    sentence = f"{free / GIB:,.1f} GiB are free where the data lie ({folder})."
    mend = "Make room: a full disk stops both servers."
    if free < LITTLE:
        return wrong("disk", sentence, mend)
    return warning("disk", sentence, mend) if free < SOON_LITTLE else fine("disk", sentence)


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


async def _health_of(client: Client, name: str) -> HealthRead | None:
    try:
        answer = await commands.call(client, ReadHealth(), service=name, within=ANSWER_WITHIN_S)
    except (TimeoutError, NatsError):
        return None
    return HealthRead.model_validate(answer.result)


async def _http_answers(url: str) -> Finding:
    mend = "The service gateway answers HTTP: look at its log, and at DESKSTREAM_GATEWAY_LISTEN."
    try:
        async with httpx.AsyncClient(timeout=ANSWER_WITHIN_S) as client:
            answer = await client.get(f"{url}/api/health")
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        return wrong("HTTP API", f"{url} does not answer ({type(error).__name__}).", mend)
    if answer.is_success:
        return fine("HTTP API", f"{url} answers.")
    return wrong("HTTP API", f"{url}/api/health answers {answer.status_code}.", mend)


async def _mail_answers(server: tuple[str, int]) -> Finding:
    where = f"{server[0]}:{server[1]}"
    mend = "The service channel_email takes mails in: look at its log, and at DESKSTREAM_EMAIL_LISTEN."
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            reader, writer = await asyncio.open_connection(*server)
            greeting = await reader.readline()
            writer.close()
    except (OSError, TimeoutError) as error:
        return wrong("mail", f"{where} does not answer ({type(error).__name__}).", mend)
    if greeting.startswith(b"220"):
        return fine("mail", f"{where} takes mails.")
    return warning("mail", f"{where} says {greeting[:80].decode('utf-8', 'replace').strip()!r}.", mend)

"""Faults of the service processes."""

from __future__ import annotations

import asyncio
import signal
from time import monotonic

from deskstream.cli.faults.breaking.kind import Spared
from deskstream.cli.faults.breaking.victims import Victims
from deskstream.cli.faults.processes import Kept
from deskstream.messaging.failpoints import POINTS

HEARING = ("crm", "conversation", "routing", "sla")
"""They work in every replica, so that a point of their work is reached soon."""
FREEZE_S = 20
NOTICED_WITHIN_S = 45.0
"""From the start of a process: it has to come to its work, to freeze, and to be asked."""
REACHED_WITHIN_S = 20.0
"""From the start of a process, until it comes to a point of its work."""


async def kill(victims: Victims) -> str:
    service = victims.service()
    if not service.send(signal.SIGKILL):
        raise down_already(service)
    return f"kill -9 of {service.name}"


async def pause(victims: Victims) -> str:
    service, seconds = victims.service(), victims.pause_s()
    if not service.send(signal.SIGSTOP):
        raise down_already(service)
    await asyncio.sleep(seconds)
    service.send(signal.SIGCONT)
    return f"SIGSTOP of {service.name} for {seconds:.1f} s"


async def stop(victims: Victims) -> str:
    service = victims.service()
    seconds = await service.stop()
    if seconds is None:
        raise down_already(service)
    return f"SIGTERM of {service.name}: gone in {seconds:.1f} s"


async def kill_at_point(victims: Victims) -> str:
    """Started anew to die at a named point of one of its next batches."""
    process, failpoint = _armed(victims, "kill")
    await _comes_to(process, failpoint)
    return f"{process.name} died at {failpoint}"


async def stop_in_batch(victims: Victims) -> str:
    process, failpoint = _armed(victims, "term")
    await _comes_to(process, failpoint)
    return f"{process.name} was asked to stop at {failpoint}, and ended"


async def freeze_loop(victims: Victims) -> str:
    """The loop stands still, and whoever looks from outside sees it and ends the process."""
    process, failpoint = _armed(victims, f"freeze={FREEZE_S}")
    started = monotonic()
    process.stood_still.clear()
    try:
        async with asyncio.timeout(NOTICED_WITHIN_S):
            await process.stood_still.wait()
    except TimeoutError:
        process.complaints.append(("P20", f"{process.name} stood still at {failpoint}, and was alive all the time"))
    return f"the event loop of {process.name} froze at {failpoint}, noticed after {monotonic() - started:.0f} s"


def down_already(service: Kept) -> Spared:
    """What a fault of a process raises when just then there is none."""
    return Spared(f"{service.name} was down already")


async def _comes_to(process: Kept, failpoint: str) -> None:
    try:
        async with asyncio.timeout(REACHED_WITHIN_S):
            await process.came_to_its_point.wait()
    except TimeoutError:
        raise Spared(f"{process.name} did not come to {failpoint}") from None


def _armed(victims: Victims, does: str) -> tuple[Kept, str]:
    process = victims.chance.choice([one for one in victims.services if set(one.services) & set(HEARING)])
    service = victims.chance.choice([name for name in process.services if name in HEARING])
    failpoint = f"{service}:{victims.chance.choice(POINTS)}:{victims.chance.randint(1, 10)}:{does}"
    process.arm(failpoint)
    process.send(signal.SIGKILL)
    return process, failpoint

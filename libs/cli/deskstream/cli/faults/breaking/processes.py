"""Faults of the service processes."""

from __future__ import annotations

import asyncio
import signal
from time import monotonic

from deskstream.cli.faults.breaking.victims import Victims
from deskstream.cli.faults.processes import Kept
from deskstream.messaging.failpoints import POINTS

HEARING = ("crm", "conversation", "routing", "sla")
"""They work in every replica, so that a point of their work is reached soon."""
FREEZE_S = 20
NOTICED_WITHIN_S = 45.0
"""From the start of a process: it has to come to its work, to freeze, and to be asked."""


async def kill(victims: Victims) -> str:
    service = victims.service()
    return f"kill -9 of {service.name}" if service.send(signal.SIGKILL) else f"{service.name} was down already"


async def pause(victims: Victims) -> str:
    service, seconds = victims.service(), victims.seconds()
    if not service.send(signal.SIGSTOP):
        return f"{service.name} was down already"
    await asyncio.sleep(seconds)
    service.send(signal.SIGCONT)
    return f"SIGSTOP of {service.name} for {seconds:.1f} s"


async def stop(victims: Victims) -> str:
    service = victims.service()
    seconds = await service.stop()
    return (
        f"{service.name} was down already" if seconds is None else f"SIGTERM of {service.name}: gone in {seconds:.1f} s"
    )


async def kill_at_point(victims: Victims) -> str:
    """Started anew to die at a named point of one of its next batches."""
    process, failpoint = _armed(victims, "kill")
    return f"{process.name} dies at {failpoint}"


async def stop_in_batch(victims: Victims) -> str:
    process, failpoint = _armed(victims, "term")
    return f"{process.name} is asked to stop at {failpoint}"


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


def _armed(victims: Victims, does: str) -> tuple[Kept, str]:
    process = victims.chance.choice([one for one in victims.services if set(one.services) & set(HEARING)])
    service = victims.chance.choice([name for name in process.services if name in HEARING])
    failpoint = f"{service}:{victims.chance.choice(POINTS)}:{victims.chance.randint(1, 10)}:{does}"
    process.arm(failpoint)
    process.send(signal.SIGKILL)
    return process, failpoint

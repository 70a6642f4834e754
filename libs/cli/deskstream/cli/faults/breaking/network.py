"""Faults of the lines between a service process and its servers."""

from __future__ import annotations

import asyncio

from deskstream.cli.faults.breaking.kind import Spared
from deskstream.cli.faults.breaking.processes import down_already
from deskstream.cli.faults.breaking.victims import Victims
from deskstream.cli.faults.lines import Flow, Line

LOST = 3
LOST_WITHIN_S = 5.0


async def cut(victims: Victims) -> str:
    return await _for_a_while(victims, Flow.CUT, "was cut", victims.seconds())


async def half_open(victims: Victims) -> str:
    return await _for_a_while(victims, Flow.SILENT, "was silent", victims.seconds(2.0, 9.0))


async def crawl(victims: Victims) -> str:
    return await _for_a_while(victims, Flow.CRAWLING, "let one byte a second through", victims.seconds(2.0, 6.0))


async def partition(victims: Victims) -> str:
    """Packets of all its connections vanish, both ways, and so do those of new ones."""
    service, seconds = victims.service(), victims.pause_s()
    assert service.link is not None
    if service.running is None:
        raise down_already(service)
    await asyncio.to_thread(service.link.take_down)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(service.link.put_up)
    return f"the network of {service.name} was down for {seconds:.1f} s"


async def lose_publish(victims: Victims) -> str:
    """Events committed and sent that never get to the broker; nobody hears that they did not."""
    place = victims.chance.randrange(len(victims.services))
    line, service = victims.nats_lines[place], victims.services[place]
    before = line.lost
    line.lose(LOST)
    for _ in range(int(LOST_WITHIN_S / 0.1)):
        if line.lost - before >= LOST:
            break
        await asyncio.sleep(0.1)
    line.lose(0)
    lost = line.lost - before
    if not lost:
        raise Spared(f"{service.name} published nothing that could be lost")
    return f"{lost} events of {service.name} lost before they were published"


async def _for_a_while(victims: Victims, flow: Flow, how: str, seconds: float) -> str:
    line, name = _some_line(victims)
    if not line.connections:
        raise Spared(f"{name} carried nothing")
    await line.turn(flow)
    await asyncio.sleep(seconds)
    await line.turn(Flow.WHOLE)
    return f"{name} {how} for {seconds:.1f} s"


def _some_line(victims: Victims) -> tuple[Line, str]:
    place = victims.chance.randrange(len(victims.services))
    lines, server = victims.chance.choice(((victims.nats_lines, "NATS"), (victims.postgres_lines, "PostgreSQL")))
    return lines[place], f"the line from {victims.services[place].name} to {server}"

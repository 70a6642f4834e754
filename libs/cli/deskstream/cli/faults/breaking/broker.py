"""Faults of NATS."""

from __future__ import annotations

import asyncio

from deskstream.cli.faults.breaking.victims import Victims, until_gone


async def kill(victims: Victims) -> str:
    seconds, server = victims.seconds(0.0, 1.5), victims.nats()
    server.kill()
    await until_gone([server])
    await asyncio.sleep(seconds)
    await victims.start_servers()
    return f"kill -9 of nats-server, started again after {seconds:.1f} s"


async def pause(victims: Victims) -> str:
    seconds, server = victims.pause_s(), victims.nats()
    server.suspend()
    await asyncio.sleep(seconds)
    server.resume()
    return f"SIGSTOP of nats-server for {seconds:.1f} s"


async def restart(victims: Victims) -> str:
    server = victims.nats()
    server.terminate()
    await until_gone([server])
    await victims.start_servers()
    return "nats-server restarted"


async def fill_disk(victims: Victims) -> str:
    """A server whose disk was full takes nothing more before it is started anew; that is what an operator does."""
    disk, seconds = victims.nats_disk, victims.seconds(2.0, 4.0)
    assert disk is not None
    await asyncio.to_thread(disk.fill)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(disk.free)
    await restart(victims)
    return f"the disk of NATS was full for {seconds:.1f} s, then it was restarted"

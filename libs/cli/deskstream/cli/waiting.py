"""Waiting for a server that may still be starting, as in containers that all start at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import typer

from deskstream.cli.problem import NoAnswer

Result = TypeVar("Result")

ASK_EVERY_S: Final = 1.0

Wait = Annotated[
    float, typer.Option("--wait", min=0, max=86_400, metavar="SECONDS", help="Wait so long for a server to answer.")
]


async def waiting(seconds: float, work: Callable[[], Awaitable[Result]]) -> Result:
    """What `work` results in, begun again while no server answers. Raises NoAnswer after `seconds`."""
    now = asyncio.get_running_loop().time
    until = now() + seconds
    while True:
        try:
            return await work()
        except NoAnswer:
            if now() + ASK_EVERY_S > until:
                raise
            await asyncio.sleep(ASK_EVERY_S)

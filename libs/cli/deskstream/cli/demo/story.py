"""All chapters in order, or one of them."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from deskstream.cli.demo import arrivals, follow, plug, poison, secret, silence, weekend, why, wishes
from deskstream.cli.demo.telling import Teller
from deskstream.cli.demo.world import World, world

CHAPTERS: dict[str, Callable[[World, Teller], Awaitable[None]]] = {
    "mails": arrivals.tell,
    "why": why.tell,
    "weekend": weekend.tell,
    "follow": follow.tell,
    "plug": plug.tell,
    "poison": poison.tell,
    "wishes": wishes.tell,
    "silence": silence.tell,
    "security": secret.tell,
}


async def play(names: list[str], teller: Teller) -> dict[str, Any]:
    """Plays chapters in a world that is made for it and gone afterwards. Returns the story as one object."""
    with tempfile.TemporaryDirectory(prefix="deskstream-demo-") as folder:
        async with world(Path(folder) / "data", teller.line) as found:
            teller.line("ready")
            for name in names:
                await CHAPTERS[name](found, teller)
    teller.line("[green]everything above happened on real servers, which are stopped now[/green]")
    return {"seconds": teller.seconds, "chapters": teller.chapters}

"""Chapter five: conversation and the broker are killed in a burst of 200 mails; then everything is counted."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiosmtplib
import psutil

from deskstream.cli.database import schema
from deskstream.cli.demo.mails import Mail, written
from deskstream.cli.demo.telling import Teller
from deskstream.cli.demo.tickets import insist
from deskstream.cli.demo.world import World, until
from deskstream.testkit.processes import Supervised, supervised

THREADS = 20
EACH = 10
TWICE = 2
"""So many of the 200 are one that came before; one more is broken."""
NEW = THREADS * EACH - TWICE - 1
CONNECTIONS = 8
KILL_AFTER = (60, 120)
"""Mails accepted before conversation is killed, and before the broker is."""
DOWN_S = 1.0
BACK_WITHIN_S = 60.0

_BROKEN = b"X-Loop: yes\r\n" * 400

_SHOWN = """
SELECT body::json -> 'message' ->> 'external_id' AS external_id, number
FROM gateway.feed
WHERE service = 'conversation' AND body::json -> 'message' ->> 'external_id' LIKE '<plug-%'
ORDER BY id
"""


@dataclass
class Burst:
    """What the desk said to each mail, as its sender counts it."""

    answers: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, fate: str) -> None:
        self.answers[fate] += 1
        self.accepted += fate == "new"
        self.moved.set()

    async def until(self, accepted: int) -> None:
        while self.accepted < accepted:
            self.moved.clear()
            await self.moved.wait()


async def tell(world: World, teller: Teller) -> None:
    """Nothing lost, nothing twice, every thread in order; real counts."""
    teller.chapter("Pull the plug")
    await world.stop()
    async with supervised("deskstream.runtime", "conversation", told=world.told) as conversation:
        await world.start(apart=("conversation",))
        burst = Burst()
        bringing = asyncio.create_task(_bring_all(world, burst))
        killed = await _pull(world, teller, burst, conversation)
        await bringing
        shown = await until(lambda: _all_shown(world), "all mails in the inbox", BACK_WITHIN_S)
        back = time.monotonic() - killed
        await _count(world, teller, burst, shown, back)
    await world.stop()
    await world.start()
    teller.again("deskstream demo --chapter plug")


async def _pull(world: World, teller: Teller, burst: Burst, conversation: Supervised) -> float:
    """Returns when the second of the two was killed."""
    await burst.until(KILL_AFTER[0])
    conversation.kill()
    teller.line(f"kill -9 of conversation, after {burst.accepted} mails of a burst of {THREADS * EACH}")
    await burst.until(KILL_AFTER[1])
    pid = world.servers.status().nats_pid
    assert pid is not None
    broker = psutil.Process(pid)
    os.kill(pid, signal.SIGKILL)
    killed, before = time.monotonic(), burst.accepted
    teller.line(f"kill -9 of NATS, after {burst.accepted} mails; mails go on being accepted")
    await asyncio.to_thread(psutil.wait_procs, [broker], timeout=5)
    await asyncio.sleep(DOWN_S)
    await asyncio.to_thread(world.servers.start)
    teller.line(f"NATS is started again; without it {burst.accepted - before} mails more were accepted")
    return killed


async def _bring_all(world: World, burst: Burst) -> None:
    """Several mail servers at once; each brings a thread's mails one after the other."""
    threads = asyncio.Queue[list[Mail]]()
    for number in range(THREADS):
        threads.put_nowait(_thread(world, number))

    async def bring_threads() -> None:
        while not threads.empty():
            for mail in threads.get_nowait():
                burst.note(await _insist(world, mail))

    await asyncio.gather(*(bring_threads() for _ in range(CONNECTIONS)))


async def _insist(world: World, mail: Mail) -> str:
    """As mail servers do: what was not accepted for now is brought again."""
    while True:
        try:
            answer = await world.hand_over(mail)
        except aiosmtplib.SMTPResponseException as no:
            if no.code >= 500:
                return "rejected"
        except (aiosmtplib.SMTPException, OSError):
            pass
        else:
            return "duplicate" if "here already" in answer else "new"
        await asyncio.sleep(0.2)


def _thread(world: World, number: int) -> list[Mail]:
    mails = []
    for place in range(EACH):
        mail = written(
            f"Person {number} <person{number}@burst.example>", f"Burst {number}", f"mail {place}",
            _key(number, place), world.now(),
        )  # fmt: skip
        answered = f"In-Reply-To: <{_key(number, place - 1)}>\r\n".encode() if place else b""
        mails.append(Mail(answered + mail.raw, mail.sender, mail.key))
    if number < TWICE:
        # The last one never comes; the one before comes once more, by another route.
        mails[-1] = Mail(b"Received: by elsewhere.example\r\n" + mails[-2].raw, mails[-2].sender, mails[-2].key)
    if number == TWICE:
        mails[-1] = Mail(_BROKEN + mails[-1].raw, mails[-1].sender, mails[-1].key)
    return mails


def _key(thread: int, place: int) -> str:
    return f"plug-{thread}-{place}@burst.example"


async def _all_shown(world: World) -> Sequence[tuple[str, int]] | None:
    rows = await world.database.fetch(_SHOWN)
    return [(row["external_id"], row["number"]) for row in rows] if len(rows) >= NEW else None


async def _count(world: World, teller: Teller, burst: Burst, shown: Sequence[tuple[str, int]], back: float) -> None:
    dead = await _dead(world)
    received = sum(burst.answers.values())
    duplicate, rejected = burst.answers["duplicate"], burst.answers["rejected"]
    order = "order kept" if _in_order(shown) else "ORDER BROKEN"
    teller.line(
        f"[b]{received} received = {len(shown)} applied + {duplicate} duplicate + {rejected} rejected + {dead} dead[/b]"
        f", {order}, back in {back:.0f} s",
        received=received,
        applied=len(shown),
        duplicate=duplicate,
        rejected=rejected,
        dead=dead,
        in_order=_in_order(shown),
        back_s=round(back, 1),
    )
    insist(received == len(shown) + duplicate + rejected + dead, "nothing is lost and nothing comes twice")
    insist(_in_order(shown), "every thread keeps its order")


def _in_order(shown: Sequence[tuple[str, int]]) -> bool:
    """Each thread in one conversation of its own, its mails in the order in which they were brought."""
    threads: dict[str, list[tuple[int, int]]] = {}
    for external_id, conversation in shown:
        _, thread, place = external_id.strip("<>").partition("@")[0].split("-")
        threads.setdefault(thread, []).append((conversation, int(place)))
    return len({found[0][0] for found in threads.values()}) == len(threads) and all(
        found == [(found[0][0], place) for place in range(len(found))] for found in threads.values()
    )


async def _dead(world: World) -> int:
    dead = 0
    for name in world.services:
        async with schema(world.database, name) as tx:
            dead += await tx.fetchval("SELECT count(*) FROM waiting WHERE state = 'dead'")
    return dead

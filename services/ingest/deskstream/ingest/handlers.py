"""What ingest hears and answers."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from deskstream import blobs
from deskstream.contracts import subjects
from deskstream.contracts.ingest import CountInbound
from deskstream.ingest import store, translate
from deskstream.ingest.domain import REUSED, Arrived, Broken, Fate, Found, decide, evolve, file_batch, wanted
from deskstream.messaging import Aggregate, Figure, Heard, On, Query, Raw, Tx
from deskstream.messaging.declare import Answers

log = structlog.get_logger()


def hears(*, secret: str, words: Sequence[str] = ()) -> list[On]:
    """`secret` is what reply tokens are signed with; `words` make a stranger's message suspicious."""
    # Only one replica hears, and the unique keys of archive and threads refuse a second creation.
    threads = Aggregate("thread", store.load, store.save, partial(decide, words=words), evolve, locks=False)
    resolve = partial(file, secret=secret)
    return [On(Raw, threads, key=lambda found: found.key, resolve=resolve, lane=subjects.INBOUND)]


ANSWERS: list[Answers] = [Query(CountInbound, store.count_inbound)]


MEANING: Final = "What became of what adapters published, by channel."
MEANING_REUSED: Final = "Messages rejected because their id was used before for another one, by channel."
CHANNELS_SHOWN: Final = 50
"""Strangers may name as many as they like; monitoring would keep a series of each for ever."""


async def figures(tx: Tx) -> list[Figure]:
    counted = Counter[tuple[str, str]]()
    by_size = sorted((await store.counts(tx)).channels.items(), key=lambda named: -named[1].received)
    for place, (channel, counts) in enumerate(by_size):
        for fate in Fate:
            counted[channel if place < CHANNELS_SHOWN else "other", fate] += getattr(counts, fate)
    inbound = [Figure("inbound", {"channel": name, "fate": fate}, n, MEANING) for (name, fate), n in counted.items()]
    return [*inbound, *await _reused_ids(tx, {name for name, _ in counted})]


async def _reused_ids(tx: Tx, shown: set[str]) -> list[Figure]:
    """Also those of zero: a series that begins with its first alarm would raise none."""
    reused = Counter(dict.fromkeys(shown, 0))
    for channel, number in (await store.reused_ids(tx)).items():
        reused[channel if channel in shown else "other"] += number
    return [Figure("inbound_reused_ids", {"channel": name}, n, MEANING_REUSED) for name, n in reused.items()]


async def file(tx: Tx, heard: Sequence[Heard[Raw]], now: datetime, *, secret: str) -> list[Found]:
    read = [translate.read(one) for one in heard]
    batch = [one.incoming for one in read]
    known = await store.look_up(tx, wanted(batch))
    found = file_batch(batch, known, secret=secret)
    new = [one for one, what in zip(read, found, strict=True) if isinstance(what, Arrived)]
    await blobs.write(tx, (blob for one in new for blob in one.blobs))
    await store.archive(tx, list(zip(batch, found, strict=True)), known.new_links, now)
    for one in found:
        if isinstance(one, Broken) and one.breach.reason == REUSED:
            log.warning("external_id_reused", channel=one.channel, archive_id=str(one.archive_id))
    return found

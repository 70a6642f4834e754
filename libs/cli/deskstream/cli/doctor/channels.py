"""The tally of each channel: what ingest says became of it, against what lies in the stream."""

import asyncio
import time
from collections import Counter
from typing import Final

from deskstream.cli.asking import Client
from deskstream.cli.doctor.finding import Finding, warning, wrong
from deskstream.cli.doctor.tally import CHECK, Tally, TallySheet
from deskstream.contracts import subjects
from deskstream.contracts.ingest import ChannelCounts, CountInbound, InboundCounts
from deskstream.messaging import commands
from deskstream.messaging.topology import stream_of

INGEST: Final = CountInbound.SERVICE
ANSWER_WITHIN_S: Final = 3.0
PATIENCE_S: Final = 5.0
LOOK_EVERY_S: Final = 0.5


async def sheet_of_channels(client: Client) -> TallySheet:
    """Looks until everything that the stream holds was taken in, or nothing moves.

    Raises TimeoutError when ingest does not answer, a NATS error when its stream or durable is missing.
    """
    deadline = time.monotonic() + PATIENCE_S
    counts, lacking = await _look(client)
    while lacking and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_EVERY_S)
        counts, lacking = await _look(client)
    tallies = [_tally(name, counted, lacking[name]) for name, counted in sorted(counts.items())]
    if lacking and not await _pending(client):
        return TallySheet(tallies, [_not_taken_in(name, number) for name, number in lacking.items()])
    return TallySheet(tallies)


def channels_untold() -> Finding:
    """What channels received is known to ingest only."""
    sentence = f"Nothing was counted of what channels received: {INGEST} does not answer."
    return warning(CHECK, sentence, f"What they bring waits in the stream and is counted once {INGEST} runs again.")


async def _look(client: Client) -> tuple[dict[str, ChannelCounts], Counter[str]]:
    """What ingest counted, and how many more the stream holds; the stream first, so that none seems to be too few."""
    stored = await _stored(client)
    answer = await commands.call(client, CountInbound(), within=ANSWER_WITHIN_S)
    counts = InboundCounts.model_validate(answer.result).channels
    received = Counter({name: counted.received for name, counted in counts.items()})
    lacking = stored - received
    return {**dict.fromkeys(lacking, ChannelCounts()), **counts}, lacking


async def _stored(client: Client) -> Counter[str]:
    """Messages in the stream by channel; the empty name counts those on a subject that names none."""
    info = await client.jsm().stream_info(stream_of(subjects.INBOUND), subjects_filter=subjects.INBOUND_ALL)
    stored = Counter[str]()
    for subject, number in (info.state.subjects or {}).items():
        stored[_channel_of(subject)] += number
    return stored


def _channel_of(subject: str) -> str:
    try:
        return subjects.inbound_address(subject).channel
    except ValueError:
        return ""


async def _pending(client: Client) -> int:
    about = await client.jsm().consumer_info(stream_of(subjects.INBOUND), INGEST)
    return (about.num_pending or 0) + (about.num_ack_pending or 0)


def _tally(channel: str, counted: ChannelCounts, lacking: int) -> Tally:
    return Tally(
        INGEST, channel or "(no channel)", received=counted.received + lacking, applied=counted.applied,
        duplicate=counted.duplicate, rejected=counted.rejected + counted.dropped, dead=counted.dead,
        waiting=counted.waiting, underway=lacking,
    )  # fmt: skip


def _not_taken_in(channel: str, number: int) -> Finding:
    return wrong(
        CHECK,
        f"{number:,} messages of {channel or 'no channel'} lie in the stream, and ingest says that it heard them all.",
        "Its database is older than the stream: `deskstream reconcile` says how far.",
    )

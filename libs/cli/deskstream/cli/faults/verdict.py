"""Whether the promises held: what was acknowledged, compared with what the databases say. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from deskstream.cli.faults.breaking.victims import Planted
from deskstream.cli.faults.publisher import Published
from deskstream.cli.faults.record import Applied, Record

SHOWN = 3
"""Of many wrong things so many are named."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that was not kept, and where to look."""

    promise: str
    what: str
    look_at: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures, and the promises they break."""

    accepted: int
    effects: int
    duplicates: int
    lost: int
    order_violations: int
    breaches: list[Breach] = field(default_factory=list)


def judge(published: Published, record: Record, planted: Iterable[Planted] = ()) -> Verdict:
    """Compares; needs nothing else. `planted` are the unreadable events that came in between."""
    accepted = published.accepted
    times = Counter(one.external_id for one in record.applied)
    lost = sorted(accepted - times.keys())
    twice = sorted(external_id for external_id, number in times.items() if number > 1)
    disorder = disordered(published.threads, record.applied)
    return Verdict(
        accepted=len(accepted),
        effects=len(accepted & times.keys()),
        duplicates=len(twice),
        lost=len(lost),
        order_violations=len(disorder) + len(record.overtaken),
        breaches=[
            *_breach("P1", "accepted and lost", lost, "ingest.archive, then each service's waiting and progress"),
            *_breach("P2", "applied more than once", twice, "conversation.journal, ingest.archive"),
            *_breach("P2", "applied and never accepted", sorted(times.keys() - accepted), "conversation.journal"),
            *_breach("P3", "out of order", disorder, "ingest.archive by position, conversation.journal by key, seq"),
            *_breach("P3", "keys with broken sequences", record.gaps, "the journal named"),
            *_breach("P3", "shown after a later one", record.overtaken, "gateway.feed by id"),
            *_told_on(record, times.keys()),
            *_left(record),
            *_breach("P6", "unreadable and not kept", _gone(planted, record), "`waiting` of the service named"),
            *_counted(published, record),
        ],
    )


def disordered(threads: Mapping[int, Sequence[str]], applied: Sequence[Applied]) -> list[str]:
    """Mails applied after a later one of their thread, or in another conversation than their thread's; in words.

    `applied` is in the order of conversation and sequence.
    """
    place = {mail: (thread, number) for thread, mails in threads.items() for number, mail in enumerate(mails)}
    known = [(one, *place[one.external_id]) for one in applied if one.external_id in place]
    home = _homes(known)
    owner = {conversation: thread for thread, conversation in reversed(home.items())}
    reached: dict[int, int] = {}
    wrong = []
    for one, thread, number in known:
        if home[thread] != one.conversation or owner[one.conversation] != thread:
            wrong.append(f"{one.external_id} of thread {thread} is in conversation {one.conversation}, not in its own")
        elif number < reached.get(thread, -1):
            wrong.append(f"{one.external_id} of thread {thread} came after a later one")
        else:
            reached[thread] = number
    return wrong


def _homes(known: Iterable[tuple[Applied, int, int]]) -> dict[int, str]:
    """Thread -> the conversation of the first of its mails that was applied anywhere."""
    homes: dict[int, str] = {}
    for one, thread, _ in sorted(known, key=lambda found: found[1:]):
        homes.setdefault(thread, one.conversation)
    return homes


def _told_on(record: Record, applied: Iterable[str]) -> Iterable[Breach]:
    """What the other services made of the conversations."""
    conversations = {one.conversation for one in record.applied}
    yield from _breach(
        "P2", "conversations without exactly one owner", _odd(conversations, record.owners), "routing.journal"
    )
    yield from _breach(
        "P2", "conversations without exactly one clock", _odd(conversations, record.clocks), "sla.journal"
    )
    yield from _breach("P2", "mails not shown exactly once", _odd(applied, record.visible), "gateway.feed")


def _odd(expected: Iterable[str], counted: Counter[str]) -> list[str]:
    wanted = set(expected)
    return sorted(
        f"{key} ({counted[key]} times)"
        for key in wanted | counted.keys()
        if counted[key] != (1 if key in wanted else 0)
    )


def _gone(planted: Iterable[Planted], record: Record) -> list[str]:
    return [f"{one.key} in {one.reader}" for one in planted if (one.reader, one.key) not in record.kept]


def _left(record: Record) -> Iterable[Breach]:
    left = record.left
    if left.dead:
        yield Breach("P6", f"{left.dead} dead: {_some(left.why)}", "`waiting` of the service named")
    if left.waiting:
        yield Breach("P5", f"{left.waiting} still waiting: {_some(left.why)}", "`waiting` of the service named")
    if left.unpublished:
        yield Breach("P5", f"{left.unpublished} said and not yet published", "`unpublished` of each service")
    yield from _breach("P5", "readers behind", left.unread, "`progress` of the reader, `heads` of the writer")


def _counted(published: Published, record: Record) -> Iterable[Breach]:
    fates = record.fates
    received = sum(fates.values())
    if not received == record.archived == record.stored:
        what = f"ingest counts {received}, keeps {record.archived}, the stream holds {record.stored}"
        yield Breach("P7", what, "ingest.counts, ingest.archive, stream INBOUND")
    if fates.get("applied", 0) != len(record.applied):
        what = f"ingest applied {fates.get('applied', 0)}, conversation {len(record.applied)}"
        yield Breach("P7", what, "ingest.archive by fate, conversation.journal")
    if fates.get("rejected", 0) < published.broken:
        what = f"{fates.get('rejected', 0)} rejected of {published.broken} that were broken"
        yield Breach("P7", what, "ingest.archive by fate")


def _breach(promise: str, what: str, wrong: Sequence[str], look_at: str) -> Iterable[Breach]:
    if wrong:
        yield Breach(promise, f"{len(wrong)} {what}: {_some(wrong)}", look_at)


def _some(wrong: Sequence[str]) -> str:
    return "; ".join(wrong[:SHOWN]) + (" …" if len(wrong) > SHOWN else "")

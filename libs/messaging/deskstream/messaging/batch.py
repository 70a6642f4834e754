"""One transaction: locks, loads, folds, saves and journals up to 200 items together."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from deskstream.contracts.envelope import Unreadable
from deskstream.messaging import asked, journal, sends, timers, waiting
from deskstream.messaging.declare import Tx
from deskstream.messaging.failpoints import FailPoints
from deskstream.messaging.fold import Fold
from deskstream.messaging.item import RAW_TYPE, Item, Outcomes, Said, Source
from deskstream.messaging.positions import Position, Standing, lock, lock_heads
from deskstream.messaging.recovered import Recovered
from deskstream.messaging.targets import Target, hear, resolve, targets_of
from deskstream.messaging.tracing import Tracer
from deskstream.messaging.wiring import Wiring

Work = list[tuple[Item, list[Target] | Exception]]

TIMER_PAUSE = timedelta(minutes=1)


@dataclass(slots=True)
class Done:
    """What is left to do once the transaction has committed."""

    said: list[Said] = field(default_factory=list)
    answers: list[tuple[Item, str]] = field(default_factory=list)
    outcomes: Outcomes = field(default_factory=Outcomes)
    resumed: list[Item] = field(default_factory=list)
    """What had waited in the table for something of this batch."""
    now: datetime | None = None
    timers_moved: list[datetime] = field(default_factory=list)
    sends_queued: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Runs items in one transaction that the caller opened and commits."""

    wiring: Wiring
    points: FailPoints
    clock_offset: timedelta = timedelta()
    tracer: Tracer | None = None
    recovered: Recovered = field(default_factory=Recovered)

    async def run(self, tx: Tx, items: Sequence[Item], marks: Sequence[int], *, alone: bool = False) -> Done:
        """Applies the items; raises whatever the database or a look-up raises, with nothing to undo but the
        transaction.

        Raises `MustRunAlone` when one failed whose look-up may have written.
        """
        self.points.reach("in_transaction")
        items, answered = await asked.known_answers(tx, items)
        read_first = sorted_by_key(items)
        numbered = [item for item in read_first if item.sequence]
        locked = await lock(tx, {i.position for i in numbered}, self._likely_heads(numbered), self.clock_offset)
        held = locked.blocked - {item.position for item in numbered if item.retry}
        # What waits behind one that may end the process is another's turn: it would be ended by what nobody counted.
        waits = locked.waits - held - {item.position for item in numbered if item.counted}
        found = await waiting.behind(tx, waits) if waits else []
        ordered = merged(read_first, [item for item, _ in found])
        fold = Fold(self.wiring, locked.now, locked.progress, alone, blocked=held)
        before = dict(locked.progress.at)
        work = [(item, self._prepare(item, locked.now)) for item in ordered]
        if self.recovered.any:
            fold.said_before = await self.recovered.said(tx, {item.heard.id for item, _ in work if item.heard})
        await self._load(tx, fold, work, locked.heads)
        fold.run(work, dict(found))
        done = await self._write(tx, fold, locked.heads, before, marks)
        done.answers += answered
        done.resumed = [item for item, _ in found]
        self.points.reach("before_commit")
        return done

    async def settle(self, tx: Tx, item: Item, error: Exception) -> Done:
        """Writes the fate of an item whose own transaction failed, without handling it again."""
        locked = await lock(tx, {item.position} if item.sequence else (), (), self.clock_offset)
        fold = Fold(self.wiring, locked.now, locked.progress, alone=True)
        before = dict(locked.progress.at)
        fold.run([(item, error)], {})
        return await self._write(tx, fold, locked.heads, before, ())

    def _likely_heads(self, numbered: Sequence[Item]) -> set[Position]:
        """What is decided on an event is mostly said under the same key: locked along, it saves a statement."""
        return {(self.wiring.lane, item.key) for item in numbered if item.type in self.wiring.decided}

    def _prepare(self, item: Item, now: datetime) -> list[Target] | Exception:
        """Decodes; an item that cannot be read carries its error to the place that decides its fate."""
        try:
            if item.source in (Source.STREAM, Source.WAITING, Source.JOURNAL) and item.type not in self.wiring.hears:
                return [] if item.type != RAW_TYPE else Unreadable(f"{item.subject}: no CloudEvent headers")
            item.heard = hear(item, self.wiring, now)
            if self.tracer is not None:
                self._follow(self.tracer, item)
            return targets_of(item, self.wiring)
        except Exception as error:  # every error of a message is this message's; its fate is decided in the fold
            return error

    def _follow(self, tracer: Tracer, item: Item) -> None:
        """A batch that is run again goes on with the spans it has."""
        assert item.heard is not None
        if item.span is None:
            item.span = tracer.begin(item, item.heard.context)
        if item.span is not None:
            item.heard = replace(item.heard, context=item.span.context)

    async def _load(self, tx: Tx, fold: Fold, work: Work, heads: Standing) -> None:
        readable = [(item, targets) for item, targets in work if isinstance(targets, list)]
        if self.wiring.resolves:
            await resolve(tx, readable, fold.now)
        wanted: dict[str, set[str]] = {}
        for _, targets in readable:
            for target in targets:
                if target.aggregate is not None:
                    wanted.setdefault(target.aggregate.name, set()).add(target.key)
        locked = {key for name, keys in wanted.items() if self.wiring.aggregates[name].locks for key in keys}
        await lock_heads(tx, heads, {(self.wiring.lane, key) for key in locked})
        for name, keys in sorted(wanted.items()):
            states = await self.wiring.aggregates[name].load(tx, sorted(keys))
            fold.states |= {(name, key): states[key] for key in keys}
        fold.loaded = dict(fold.states)

    async def _write(
        self, tx: Tx, fold: Fold, heads: Standing, before: dict[Position, int], marks: Sequence[int]
    ) -> Done:
        await lock_heads(tx, heads, fold.head_positions())
        heads_before = dict(heads.at)
        said = fold.numbered(heads)
        for name, states in fold.changed_states().items():
            await self.wiring.aggregates[name].save(tx, states)
        for project, events in fold.projections.values():
            await project.apply(tx, events)
        await sends.queue(tx, fold.deliveries, fold.now)
        moves = fold.timer_moves()
        await timers.move(tx, moves)
        for item in fold.postponed:
            await timers.postpone(tx, item, fold.now + TIMER_PAUSE)
        # First, for a suspect that has to wait after all stands in both.
        await waiting.remove(tx, fold.passed)
        fold.waited_already(await waiting.save(tx, fold.waiters, fold.now))
        await asked.save(tx, fold.answers, fold.now)
        moved = (fold.progress.changed(before), heads.changed(heads_before))
        if said or marks or any(moved[0]) or any(moved[1]):
            await journal.write(tx, fold.now, said, marks=marks, progress=moved[0], heads=moved[1])
        return Done(
            said=said,
            answers=fold.answers + fold.mishaps,
            outcomes=fold.outcomes,
            timers_moved=[moment for _, _, moment in moves if moment is not None],
            sends_queued=bool(fold.deliveries),
            now=fold.now,
        )


def sorted_by_key(items: Sequence[Item]) -> list[Item]:
    """The items of each numbered (lane, key) in sequence, in the places that this (lane, key) had in the batch."""
    places: dict[tuple[str, str], list[int]] = {}
    for place, item in enumerate(items):
        if item.sequence:
            places.setdefault(item.position, []).append(place)
    ordered = list(items)
    for found in places.values():
        if len(found) > 1:
            in_sequence = sorted((items[place] for place in found), key=lambda item: item.sequence)
            for place, item in zip(found, in_sequence, strict=True):
                ordered[place] = item
    return ordered


def merged(items: Sequence[Item], waiters: Sequence[Item]) -> list[Item]:
    """The items with what waits in the table for the same (lane, key), in sequence, at the place of the key's first.

    An event that is in both stays once.
    """
    if not waiters:
        return list(items)
    queues: dict[tuple[str, str], list[Item]] = {}
    for item in [*(i for i in items if i.sequence), *waiters]:
        queues.setdefault(item.position, []).append(item)
    out, placed = list[Item](), set[tuple[str, str]]()
    for item in items:
        if not item.sequence:
            out.append(item)
        elif item.position not in placed:
            placed.add(item.position)
            out += _once(sorted(queues[item.position], key=_tried_then_waiting))
    return out


def _tried_then_waiting(item: Item) -> tuple[int, bool, bool]:
    return item.sequence, not item.retry, item.source is not Source.WAITING


def _once(queue: Sequence[Item]) -> list[Item]:
    """The first of each event: the one being tried, else the row that waits (which then goes), else the newcomer."""
    return list({(item.sequence, item.id): item for item in reversed(queue)}.values())[::-1]

"""The in-memory part of a batch: decides item by item in order, and collects what is said, changed and left waiting."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from deskstream.contracts import Answered, Event, Problem, Refused
from deskstream.contracts.envelope import Stamp
from deskstream.contracts.ids import effect_id
from deskstream.contracts.journal import CommandRefused
from deskstream.messaging import waiting
from deskstream.messaging.declare import Absorb, Answer, Deliver, Heard, Project
from deskstream.messaging.fates import failure_of
from deskstream.messaging.item import Fate, Item, Outcomes, Said, Source
from deskstream.messaging.journal import row_of
from deskstream.messaging.positions import Position, Standing
from deskstream.messaging.targets import Target
from deskstream.messaging.waiting import BLOCKING, GAP_PATIENCE, Waiter
from deskstream.messaging.wiring import Wiring

INTERNAL_ERROR = Answered(
    ok=False,
    error=Problem(code="internal_error", sentence="This failed on our side; it is logged. Try again later."),
).model_dump_json()

StateKey = tuple[str, str]


class MustRunAlone(Exception):
    """An item failed after its look-up may have written: only a transaction of its own undoes it alone."""


@dataclass(slots=True)
class Spoken:
    """An event with its cause, before it has its sequence."""

    event: Event
    cause: Heard[Any]
    position: int


@dataclass(slots=True)
class Fold:
    """Everything a batch will write, built up item by item."""

    wiring: Wiring
    now: datetime
    progress: Standing
    alone: bool
    said_before: dict[UUID, Sequence[Event]] = field(default_factory=dict)
    """Cause -> what an older database took back from the stream: it is said again, but not journaled again."""
    states: dict[StateKey, Any] = field(default_factory=dict)
    loaded: dict[StateKey, Any] = field(default_factory=dict)
    spoken: list[Spoken] = field(default_factory=list)
    waiters: list[Waiter] = field(default_factory=list)
    waiting_now: set[tuple[Position, int, UUID | None]] = field(default_factory=set)
    passed: list[Item] = field(default_factory=list)
    """Items from the waiting table that need wait no longer."""
    blocked: set[Position] = field(default_factory=set)
    postponed: list[Item] = field(default_factory=list)
    """Timers whose deciding failed."""
    fired: set[StateKey] = field(default_factory=set)
    projections: dict[int, tuple[Project, list[Heard[Any]]]] = field(default_factory=dict)
    deliveries: list[Heard[Any]] = field(default_factory=list)
    answers: list[tuple[Item, str]] = field(default_factory=list)
    mishaps: list[tuple[Item, str]] = field(default_factory=list)
    """Answers that are not kept: the same command may be tried again after a fix."""
    outcomes: Outcomes = field(default_factory=Outcomes)

    def run(self, work: Iterable[tuple[Item, list[Target] | Exception]], standing_states: dict[Item, str]) -> None:
        """Takes every item in order; `standing_states` says in which state a waiting one was found."""
        for item, targets in work:
            if self._is_next(item, standing_states.get(item)):
                self._take(item, targets)

    def _is_next(self, item: Item, state: str | None) -> bool:
        if not item.sequence:
            return True
        read = self.progress.of(item.position)
        if item.sequence <= read:
            self.outcomes.duplicate += 1
            item.fate = Fate.DUPLICATE
            self._pass(item)
            return False
        if state in BLOCKING and not item.retry:
            self.blocked.add(item.position)
            return False
        if item.position in self.blocked or item.sequence > read + 1:
            self._wait(item, state)
            return False
        return True

    def _wait(self, item: Item, state: str | None) -> None:
        copy = (item.position, item.sequence, item.id)
        if copy in self.waiting_now:
            # Delivered twice in one batch: the first copy's row, and why it waits, stays.
            self.outcomes.duplicate += 1
            item.fate = Fate.DUPLICATE
        elif state is None:
            self.waiting_now.add(copy)
            self.outcomes.waiting += 1
            item.fate = Fate.WAITING
            why = "behind" if item.position in self.blocked else "gap"
            # A suspect whose turn has not come was not handled; its try stays counted.
            tries = item.tries + 1 if item.retry else item.tries
            self.waiters.append(Waiter(item, why, self.now + GAP_PATIENCE, tries=tries))
            self._pass(item)

    def waited_already(self, items: Sequence[Item]) -> None:
        """These came again while their rows wait behind a key that is held up, and were not looked up."""
        for item in items:
            self.outcomes.waiting -= 1
            self.outcomes.duplicate += 1
            item.fate = Fate.DUPLICATE

    def _take(self, item: Item, targets: list[Target] | Exception) -> None:
        try:
            if isinstance(targets, Exception):
                raise targets
            self._apply(item, targets)
        except Refused as no:
            if item.heard is None:
                self._fail(item, no)
                return
            self._refuse(item, no)
        except Exception as error:
            if self.wiring.resolves and not self.alone and not isinstance(targets, Exception):
                raise MustRunAlone from error
            self._fail(item, error)
            return
        if item.sequence:
            self.progress.at[item.position] = item.sequence
        self._pass(item)

    def _apply(self, item: Item, targets: Sequence[Target]) -> None:
        heard = item.heard
        if heard is None or not targets:
            self.outcomes.skipped += 1
            item.fate = Fate.SKIPPED
            return
        changed: dict[StateKey, Any] = {}
        spoken: list[Spoken] = []
        answer: str | None = None
        for target in targets:
            said = self._handle(target, heard, changed)
            spoken += [Spoken(event, heard, len(spoken) + n) for n, event in enumerate(said)]
            if isinstance(target.handler, Answer) and target.aggregate:
                state = changed[target.aggregate.name, target.key]
                answer = Answered(ok=True, result=target.handler.result(state, said)).model_dump_json()
        self._guard_timer(item, targets, changed)
        self.states |= changed
        if heard.id not in self.said_before:
            self.spoken += spoken
        self.outcomes.applied += 1
        item.fate = Fate.APPLIED
        if answer is not None:
            self.answers.append((item, answer))

    def _handle(self, target: Target, heard: Heard[Any], changed: dict[StateKey, Any]) -> Sequence[Event]:
        handler, aggregate = target.handler, target.aggregate
        if isinstance(handler, Project):
            self.projections.setdefault(id(handler), (handler, []))[1].append(heard)
            return ()
        if isinstance(handler, Deliver):
            self.deliveries.append(heard)
            return ()
        assert aggregate is not None
        where = (aggregate.name, target.key)
        state = changed[where] if where in changed else self.states[where]
        if isinstance(handler, Absorb):
            changed[where] = aggregate.evolve(state, target.message)
            return ()
        before = self.said_before.get(heard.id)
        said = aggregate.decide(state, target.message, self.now) if before is None else before
        for event in said:
            if before is not None and aggregate.take_back is not None:
                state = aggregate.take_back(state, target.message, event)
            else:
                state = aggregate.evolve(state, event)
        changed[where] = state
        return said

    def _guard_timer(self, item: Item, targets: Sequence[Target], changed: dict[StateKey, Any]) -> None:
        """A timer that leaves its own moment due would fire for ever."""
        if item.source is not Source.TIMER:
            return
        aggregate = targets[0].aggregate
        assert aggregate is not None
        assert aggregate.due is not None
        self.fired.add((aggregate.name, item.key))
        due = aggregate.due(changed[aggregate.name, item.key])
        if due is not None and due <= self.now:
            raise RuntimeError(f"{aggregate.name} {item.key} is still due at {due} after deciding on it")

    def _refuse(self, item: Item, no: Refused) -> None:
        self.outcomes.refused += 1
        item.fate = Fate.REFUSED
        heard = item.heard
        assert heard is not None
        command = type(item.asked).__name__ if item.source is Source.COMMAND else item.type
        refusal = CommandRefused(
            at=self.now, service=self.wiring.service, command_id=str(heard.id), about=item.key,
            command=command, code=no.code, sentence=no.sentence,
        )  # fmt: skip
        self.spoken.append(Spoken(refusal, heard, 0))
        if item.future is not None:
            problem = Problem(code=no.code, sentence=no.sentence, details=no.details)
            self.answers.append((item, Answered(ok=False, error=problem).model_dump_json()))

    def _fail(self, item: Item, error: Exception) -> None:
        self.outcomes.failed += 1
        item.fate = Fate.FAILED
        failure = failure_of(error, f"{self.wiring.service}: {item.type}")
        self.outcomes.lines.append(
            {"type": item.type, "lane": item.lane, "key": item.key, "seq": item.sequence, "reason": failure.reason}
        )
        if item.source is Source.COMMAND:
            self.mishaps.append((item, INTERNAL_ERROR))
            return
        if item.source is Source.TIMER:
            self.postponed.append(item)
            return
        if item.sequence:
            self.blocked.add(item.position)
            self.waiting_now.add((item.position, item.sequence, item.id))
        row = waiting.failed(item, failure, self.now)
        item.fate = Fate.DEAD if row.state == "dead" else Fate.FAILED
        self.waiters.append(row)

    def _pass(self, item: Item) -> None:
        if item.source is Source.WAITING or item.retry:
            self.passed.append(item)

    def numbered(self, heads: Standing) -> list[Said]:
        """Journal rows of everything said, each with the next sequence of its (lane, key)."""
        return [self._row(spoken, heads) for spoken in self.spoken]

    def head_positions(self) -> set[Position]:
        """The (lane, key) of everything said that takes a sequence."""
        return {(s.event.lane(), s.event.key()) for s in self.spoken if s.event.NUMBERED}

    def _row(self, spoken: Spoken, heads: Standing) -> Said:
        event, cause = spoken.event, spoken.cause
        lane, key, sequence = event.lane(), event.key(), 0
        if event.NUMBERED:
            sequence = heads.of((lane, key)) + 1
            heads.at[lane, key] = sequence
        stamp = Stamp(
            id=effect_id(cause.id, self.wiring.service, spoken.position),
            sequence=sequence,
            correlation=cause.correlation,
            causation=cause.id,
            actor=cause.actor,
            at=self.now,
            traceparent=cause.context,
        )
        return row_of(event, stamp)

    def timer_moves(self) -> list[tuple[str, str, datetime | None]]:
        """(aggregate, key, next moment or None) of every object whose moment changed, and of every timer that fired."""
        moves = []
        for where, state in self.states.items():
            due = self.wiring.aggregates[where[0]].due
            before = self.loaded[where]
            if due is None or (state is before and where not in self.fired):
                continue
            moment = due(state)
            if moment != due(before) or where in self.fired:
                moves.append((*where, moment))
        return moves

    def changed_states(self) -> dict[str, list[Any]]:
        """Aggregate name -> changed states."""
        changed: dict[str, list[Any]] = {}
        for where, state in self.states.items():
            if state is not self.loaded[where]:
                changed.setdefault(where[0], []).append(state)
        return changed

"""What a service hears and answers, indexed the way the runner asks for it."""

from deskstream.contracts import Command, Event, subjects
from deskstream.contracts.envelope import event_type
from deskstream.messaging.declare import Absorb, Aggregate, Answer, Declaration, Deliver, Hears, On, Project, Query, Raw
from deskstream.messaging.item import RAW_TYPE


class Wiring:
    """Read once at start. Raises `ValueError` for a wiring that could not work."""

    def __init__(self, name: str, hears: "tuple[Hears, ...]", answers: "tuple[Answer | Query, ...]") -> None:
        self.service = name
        self.lane = subjects.events_lane(name)
        self.hears: dict[str, list[Hears]] = {}
        self.kinds: dict[str, type[Event]] = {}
        self.aggregates: dict[str, Aggregate] = {}
        self.answers: dict[type, Answer] = {}
        self.queries: dict[type, Query] = {}
        self.commands: dict[str, type[Command]] = {}
        for hear in hears:
            self._hear(hear)
        for answer in answers:
            self._answer(answer)
        self.decided = {name for name, heard in self.hears.items() if any(isinstance(h, On) for h in heard)}
        looking_up = [*(h for heard in self.hears.values() for h in heard), *self.answers.values()]
        self.alone = {kind for kind, answer in self.answers.items() if answer.alone}
        self.resolves = any(isinstance(handler, (On, Answer)) and handler.resolve for handler in looking_up)

    def _hear(self, hear: Hears) -> None:
        for kind in hear.kinds if isinstance(hear, Project) else (hear.kind,):
            name = RAW_TYPE if kind is Raw else event_type(kind)  # type: ignore[arg-type]
            self.hears.setdefault(name, []).append(hear)
            if kind is not Raw:
                self.kinds[name] = kind  # type: ignore[assignment]
        if isinstance(hear, (On, Absorb)):
            self._aggregate(hear.aggregate)

    def _answer(self, answer: Answer | Query) -> None:
        if answer.kind in self.answers or answer.kind in self.queries:
            raise ValueError(f"{self.service} answers {answer.kind.__name__} twice")
        if isinstance(answer, Answer):
            self.answers[answer.kind] = answer
            self._aggregate(answer.aggregate)
        else:
            self.queries[answer.kind] = answer
        if issubclass(answer.kind, Command):
            self.commands[answer.kind.NAME] = answer.kind

    def _aggregate(self, aggregate: Aggregate) -> None:
        known = self.aggregates.setdefault(aggregate.name, aggregate)
        if known is not aggregate:
            raise ValueError(f"{self.service} has two aggregates named {aggregate.name}")

    def lanes(self) -> set[str]:
        """The lanes that something of this service's is heard on."""
        heard = [hear for found in self.hears.values() for hear in found]
        return {lane for hear in heard for lane in _lanes(hear)}


def wiring_of(declaration: Declaration, hears: "tuple[Hears, ...]", answers: "tuple[Answer | Query, ...]") -> Wiring:
    """The wiring of a built service, held against what its declaration promised to the topology."""
    wiring = Wiring(declaration.name, hears, answers)
    surplus = wiring.lanes() - set(declaration.hears)
    if surplus:
        raise ValueError(f"{declaration.name} hears {sorted(surplus)}, which its declaration does not name")
    return wiring


def _lanes(hear: Hears) -> set[str]:
    if isinstance(hear, Deliver):
        return {hear.lane}
    if isinstance(hear, Project):
        return {kind.LANE for kind in hear.kinds}
    if isinstance(hear, On) and hear.lane:
        return {hear.lane}
    return {hear.kind.LANE}  # type: ignore[union-attr]

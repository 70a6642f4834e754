"""What may become of a part: which parent each kind may have, and when one may be deleted."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias, assert_never

from deskstream.contracts import Event, Refused
from deskstream.contracts.chain_facts import PartFacts, PartKind, Tombstone, Weight
from deskstream.contracts.ids import PartId
from deskstream.contracts.links import DefaultPassed, PartTicketJoined, PartTicketLeft
from deskstream.contracts.part_commands import DeletePart, MovePart, RestorePart, SavePart
from deskstream.contracts.parts import PartStaffed
from deskstream.contracts.ticketing import PartDeleted, PartEvent, PartMoved, PartRestored, PartSaved, PartWeighed
from deskstream.ticketing.domain.part.state import Part, PartState, Unmade
from deskstream.ticketing.domain.versions import insist_on_version
from deskstream.ticketing.domain.wishes import Wish

PARENTS: Final[Mapping[PartKind, frozenset[PartKind]]] = {
    PartKind.PRODUCT: frozenset(),
    PartKind.CAPABILITY: frozenset({PartKind.PRODUCT}),
    PartKind.FEATURE: frozenset({PartKind.CAPABILITY, PartKind.FEATURE}),
    PartKind.ENHANCEMENT: frozenset({PartKind.PRODUCT, PartKind.CAPABILITY, PartKind.FEATURE}),
}
"""W14: below which kinds a kind may stand."""

Asked: TypeAlias = SavePart | MovePart | DeletePart | RestorePart
Message: TypeAlias = Wish[Asked] | PartTicketJoined | PartTicketLeft | DefaultPassed

_STAFFING: Final = (
    "name", "parent", "owners", "first_expert", "second_expert", "maturity", "deleted"
)  # fmt: skip
"""What those who give work to people have to know of a part."""

_PLAIN: Final = ("name", "owners", "workers", "first_expert", "second_expert", "maturity", "default")


def decide(state: PartState, message: Message, now: datetime) -> list[Event]:
    """What is said about a message. Raises `Refused` when the rules say no."""
    said = _decide(state, message, now)
    return [*said, *_staffed(state, said, now)]


def _staffed(state: PartState, said: Sequence[Event], now: datetime) -> Iterator[PartStaffed]:
    """W14: whoever gives work to people hears of these, and of nothing else that happens to a part."""
    before = None if isinstance(state, Unmade) else state.facts
    for event in said:
        if isinstance(event, PartEvent) and any(
            before is None or getattr(before, name) != getattr(event.after, name) for name in _STAFFING
        ):
            yield PartStaffed(part_id=event.part_id, at=now, after=event.after)


def _decide(state: PartState, message: Message, now: datetime) -> list[Event]:
    if isinstance(message, Wish):
        return _answer(state, message, now)
    if isinstance(state, Unmade):
        return []
    if isinstance(message, DefaultPassed):
        return [_said(PartSaved, state.facts, now, default=False)] if state.facts.default else []
    return _weigh(state, now)


def _answer(state: PartState, wish: Wish[Asked], now: datetime) -> list[Event]:
    asked = wish.command
    if isinstance(state, Unmade):
        if isinstance(asked, SavePart) and asked.part_id is None:
            return _make(state, wish, asked, now)
        raise Refused("part_not_found", "There is no such part. List the parts to see their numbers.")
    facts = state.facts
    if facts.deleted is not None and not isinstance(asked, RestorePart):
        raise Refused("part_is_deleted", f"PART-{facts.number} is deleted. Restore it first.")
    insist_on_version(f"PART-{facts.number}", facts.version, asked)
    match asked:
        case SavePart():
            return _change(facts, wish, asked, now)
        case MovePart():
            return _move(facts, wish, now)
        case DeletePart():
            return [_delete(facts, wish, asked, now)]
        case RestorePart():
            return _restore(facts, wish, now)
        case _:
            assert_never(asked)


def _make(state: Unmade, wish: Wish[Asked], asked: SavePart, now: datetime) -> list[Event]:
    if asked.name is None or asked.kind is None:
        raise Refused("part_is_unnamed", "A new part needs a name and a kind.")
    _insist_on_parent(asked.kind, wish)
    facts = PartFacts(
        id=state.id, number=state.number, version=0, name=asked.name, kind=asked.kind, parent=asked.parent
    )
    return _saved(facts, wish, _changes(asked, facts), now)


def _change(facts: PartFacts, wish: Wish[Asked], asked: SavePart, now: datetime) -> list[Event]:
    if asked.kind not in (None, facts.kind):
        raise Refused("part_keeps_its_kind", f"PART-{facts.number} is a {facts.kind}. Make another part instead.")
    if asked.parent not in (None, facts.parent):
        raise Refused("part_is_moved_otherwise", "A part is moved by a command of its own: move_part.")
    if asked.default is False and facts.default:
        raise Refused("default_part_is_needed", "Intake needs a default part. Make another part the default one.")
    changes = {name: value for name, value in _changes(asked, facts).items() if getattr(facts, name) != value}
    return _saved(facts, wish, changes, now) if changes else []


def _saved(facts: PartFacts, wish: Wish[Asked], changes: dict[str, Any], now: datetime) -> list[Event]:
    said: list[Event] = [_said(PartSaved, facts, now, **changes)]
    if changes.get("default"):
        others = (one for one in wish.known.defaults if one != facts.id)
        said += [DefaultPassed(part_id=one, to=facts.id, at=now) for one in others]
    return said


def _changes(asked: SavePart, facts: PartFacts) -> dict[str, Any]:
    given = {name: getattr(asked, name) for name in _PLAIN}
    return {name: value for name, value in given.items() if value is not None}


def _move(facts: PartFacts, wish: Wish[Asked], now: datetime) -> list[Event]:
    """What is below it keeps its parents, and so goes with it."""
    _insist_on_parent(facts.kind, wish)
    parent = wish.known.parent
    assert parent is not None
    if facts.id in wish.known.above:
        raise Refused("part_below_itself", f"PART-{parent.number} is below PART-{facts.number}; choose another parent.")
    if parent.id == facts.parent:
        return []
    return [_said(PartMoved, facts, now, before=facts.parent, parent=parent.id)]


def _insist_on_parent(kind: PartKind, wish: Wish[Asked]) -> None:
    allowed = PARENTS[kind]
    parent = wish.known.parent
    named = isinstance(wish.command, MovePart) or getattr(wish.command, "parent", None) is not None
    if not allowed:
        if named:
            raise Refused("part_has_no_parent", "A product stands at the top of the tree and has no parent.")
        return
    kinds = ", ".join(sorted(allowed))
    if parent is None or parent.deleted is not None:
        raise Refused("parent_not_found", f"Name an existing parent: a {kind} stands below one of {kinds}.")
    if parent.kind not in allowed:
        raise Refused("parent_of_wrong_kind", f"A {kind} stands below one of {kinds}, not below a {parent.kind}.")


def _delete(facts: PartFacts, wish: Wish[Asked], asked: DeletePart, now: datetime) -> Event:
    if facts.default:
        raise Refused("default_part_is_needed", "Intake needs a default part. Make another part the default one.")
    if wish.known.below:
        hanging = ", ".join(wish.known.below)
        sentence = f"On PART-{facts.number} still hang {hanging}. Move them first."
        raise Refused("part_has_work", sentence, hanging=list(wish.known.below))
    return _said(PartDeleted, facts, now, deleted=Tombstone(by=wish.by, at=now, reason=asked.reason))


def _restore(facts: PartFacts, wish: Wish[Asked], now: datetime) -> list[Event]:
    if facts.deleted is None:
        return []
    parent = wish.known.parent
    if parent is not None and parent.deleted is not None:
        sentence = f"PART-{parent.number}, which PART-{facts.number} stands below, is deleted, too. Restore it first."
        raise Refused("parent_is_deleted", sentence)
    return [_said(PartRestored, facts, now, deleted=None)]


def _weigh(state: Part, now: datetime) -> list[Event]:
    """W13: who came or went stands in the state already."""
    customers = state.customers.values()
    weight = Weight(tickets=len(customers), customers=len(set(customers)))
    return [_said(PartWeighed, state.facts, now, weight=weight)] if weight != state.facts.weight else []


def _said(kind: type[PartEvent], facts: PartFacts, now: datetime, **changes: Any) -> Event:
    before = {"before": changes.pop("before")} if "before" in changes else {}
    after = facts.model_copy(update={"version": facts.version + 1, **changes})
    return kind(part_id=PartId(facts.id), at=now, after=after, **before)

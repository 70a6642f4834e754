"""Which changes of a message its readers and writers of the version before could not cope with."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

Node: TypeAlias = Mapping[str, Any]

_UPPER: Final = ("maxLength", "maxItems", "maxProperties", "maximum", "exclusiveMaximum")
_LOWER: Final = ("minLength", "minItems", "minProperties", "minimum", "exclusiveMinimum")
_EXACT: Final = ("format", "pattern")


def breaking_changes(old: Node, new: Node, *, heard: bool = True) -> list[str]:
    """What is not merely added to a JSON Schema by its next version, one sentence each; empty when all is.

    Nobody may be asked for more: a property gone (renamed is gone, too) or newly required, a type, value, limit,
    format or pattern that takes less. A default means what it meant: it is left out on the wire, and kept journals
    are full of messages without it. And where services of the version before hear the message (`heard`; not commands
    and what adapters publish), nothing they count on may be missing, and nothing be of a type they do not know.
    A new value of an enumeration counts as an addition: readers are deployed before writers.
    """
    return list(_Comparison(old, new, heard).differences(old, new, ""))


@dataclass
class _Comparison:
    old: Node
    new: Node
    heard: bool
    seen: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of definitions compared already: some contain themselves."""

    def differences(self, old: Node, new: Node, where: str) -> Iterator[str]:
        before, now = _by_kind(old), _by_kind(new)
        lost = before.keys() - now.keys()
        yield from (f"{_place(where)} is no {kind} any more" for kind in sorted(lost))
        if self.heard and not lost:
            yield from (f"{_place(where)} may now be {kind}" for kind in sorted(now.keys() - before.keys()))
        for kind in sorted(before.keys() & now.keys()):
            yield from self._of_one_kind(before[kind], now[kind], where)

    def _of_one_kind(self, old: Node, new: Node, where: str) -> Iterator[str]:
        if "$ref" in old:
            pair = (old["$ref"], new["$ref"])
            if pair in self.seen or not old["$ref"].startswith("#/"):
                return
            self.seen.add(pair)
            yield from self.differences(_target(old, self.old), _target(new, self.new), where)
            return
        yield from _tightened(old, new, where)
        yield from self._properties(old, new, where)
        for part in ("items", "additionalProperties"):
            if isinstance(old.get(part), Mapping) and isinstance(new.get(part), Mapping):
                yield from self.differences(old[part], new[part], f"{where}[]")

    def _properties(self, old: Node, new: Node, where: str) -> Iterator[str]:
        before, now = old.get("properties", {}), new.get("properties", {})
        required_before, required = set(old.get("required", ())), set(new.get("required", ()))
        for name in before:
            place = f"{where}.{name}".lstrip(".")
            if name not in now:
                yield f"{place} is gone"
                continue
            yield from self.differences(before[name], now[name], place)
            meant, means = before[name].get("default"), now[name].get("default")
            if name not in required_before and meant != means:
                yield f"{place} left out means {means!r}, meant {meant!r}"
            if self.heard and name in required_before - required:
                yield f"{place} may now be left out"
        yield from (f"{f'{where}.{name}'.lstrip('.')} is newly required" for name in sorted(required - required_before))


def _by_kind(node: Node) -> dict[str, Node]:
    """The alternatives of a node, each by what tells it from the others: its type, or the definition it names."""
    return {_kind(one): one for one in _alternatives(node)}


def _alternatives(node: Node) -> Iterable[Node]:
    for word in ("anyOf", "oneOf"):
        if word in node and "properties" not in node:
            return list(node[word])
    if isinstance(node.get("type"), list):
        return [{"type": kind} if kind == "null" else {**node, "type": kind} for kind in node["type"]]
    return [node]


def _kind(node: Node) -> str:
    return str(node.get("$ref") or node.get("type") or "anything")


def _target(node: Node, document: Node) -> Node:
    target: Node = document["$defs"][node["$ref"].removeprefix("#/$defs/")]
    return target


def _tightened(old: Node, new: Node, where: str) -> Iterator[str]:
    for word in _EXACT:
        if word in new and old.get(word) != new[word]:
            yield f"{_place(where)}: {word} is {new[word]}, was {old.get(word, 'free')}"
    for word in (*_UPPER, *_LOWER):
        if word in new and (word not in old or _takes_less(word, old[word], new[word])):
            yield f"{_place(where)}: {word} is {new[word]}, was {old.get(word, 'none')}"
    before, now = _values(old), _values(new)
    if now and not before:
        yield f"{_place(where)} takes only {', '.join(map(str, now))}"
    yield from (f"{_place(where)} takes {value} no more" for value in before if now and value not in now)


def _takes_less(word: str, old: float, new: float) -> bool:
    return new < old if word in _UPPER else new > old


def _values(node: Node) -> list[Any]:
    return list(node["enum"]) if "enum" in node else [node["const"]] if "const" in node else []


def _place(where: str) -> str:
    return where or "the message"

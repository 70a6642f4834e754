"""What a chain shows of each of its members, and the numbers by which these name each other."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from deskstream.ticketing.store.fitting import FEW

Found = dict[str, Any]


def ticket(facts: Found) -> Found:
    """With what hangs on it."""
    return {
        **_named(facts, "title"),
        "stage": facts["stage"],
        "owner": facts.get("owner"),
        "part": facts["part"]["number"],
        "account": facts["account"]["name"] if facts.get("account") else None,
        "conversations": [one["number"] for one in facts.get("conversations", ())[:FEW]],
        "issues": [one["number"] for one in facts.get("issues", ())],
        "waits": [one["name"] for one in facts.get("waits", ())],
    }


def issue(facts: Found) -> Found:
    """With its weight, and who waits for it."""
    relations = [{"kind": one["kind"], "issue": one["number"]} for one in facts.get("relations", ())[:FEW]]
    if facts["original"]:
        relations.append({"kind": "duplicates", "issue": facts["original"]["number"]})
    return {
        **_named(facts, "title"),
        "stage": facts["stage"],
        "owner": facts.get("owner"),
        "part": facts["part"]["number"],
        "confidential": facts.get("security") == "yes",
        "relations": relations,
        "weight": facts["weight"],
        "waiting": [one["number"] for one in facts["waiting"]],
    }


def part(facts: Found, parts: Sequence[Found]) -> Found:
    """With the number of what it stands below."""
    parent = next((one["number"] for one in parts if one["id"] == facts.get("parent")), None)
    return {**_named(facts, "name"), "kind": facts["kind"], "parent": parent}


def conversations(tickets: Sequence[Found], issues: Sequence[Found]) -> list[Found]:
    """Those that have these tickets or wait for these issues, each once."""
    return each_once(_conversations(tickets, issues))


def each_once(found: Iterable[Found]) -> list[Found]:
    """Whatever comes several times."""
    return list({one["id"]: one for one in found}.values())


def _conversations(tickets: Sequence[Found], issues: Sequence[Found]) -> Iterator[Found]:
    for one in tickets:
        yield from one.get("conversations", ())[:FEW]
    for one in issues:
        yield from one["waiting"]


def _named(facts: Found, title: str) -> Found:
    return {
        "id": facts["id"],
        "number": facts["number"],
        title: facts[title][:120],
        "deleted": bool(facts.get("deleted")),
    }

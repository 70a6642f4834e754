"""W9, W11: where chains of issues lead: what blocks what by any way, and which original a duplicate repeats."""

from collections.abc import Mapping
from uuid import UUID

from deskstream.contracts.ids import IssueId


def reachable(start: UUID, edges: Mapping[IssueId, set[IssueId]]) -> frozenset[IssueId]:
    """Everything that the edges lead to."""
    found: set[IssueId] = set()
    left = [IssueId(start)]
    while left:
        for other in edges.get(left.pop(), ()):
            if other not in found:
                found.add(other)
                left.append(other)
    return frozenset(found)


def end_of_chain(start: IssueId, next_of: Mapping[IssueId, IssueId | None], within: int = 1000) -> IssueId:
    """Where following `next_of` ends; a chain that bites its tail ends somewhere on it."""
    at = start
    for _ in range(within):
        further = next_of.get(at)
        if further is None:
            return at
        at = further
    return at

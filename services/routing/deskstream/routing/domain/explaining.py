""" "Why me?", "why not Bruno?": the answer that a decision record gives about one person."""

from deskstream.contracts.ids import AgentId
from deskstream.contracts.routing import OwnerChosen


def why(decision: OwnerChosen, agent: AgentId) -> str:
    """One sentence about this person and this decision."""
    if decision.owner == agent:
        return f"{agent} is the owner: {decision.reason}"
    for candidate in decision.record.candidates:
        if candidate.agent == agent:
            return f"{agent} was passed over: {candidate.why}."
    if "candidates_left_out" in decision.record.inputs:
        return f"{agent} is no member of {decision.team}, or was away, full or had more to carry than those recorded."
    decided = next((step.name for step in decision.record.steps if step.matched), decision.cause.value)
    return f"{agent} was no candidate: {decided} decided, and names nobody like that."

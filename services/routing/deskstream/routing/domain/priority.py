"""How urgent a conversation starts: a person's choice, else a rule, the account's priority, its tier, or normal."""

from typing import NamedTuple

from deskstream.contracts.facts import AccountFacts, AccountStage, ConversationFacts, Priority
from deskstream.contracts.routing import RuleFacts
from deskstream.routing.domain.floor import BY_RANK, RANKS, Assignment, Policy


class Ranked(NamedTuple):
    priority: Priority
    why: str


def priority_of(facts: ConversationFacts, known: Assignment, rule: RuleFacts | None, policy: Policy) -> Ranked:
    """The priority and where it comes from."""
    if known.choice is not None:
        return Ranked(known.choice, "a person chose it")
    if known.routed:
        return Ranked(known.priority, "set when it was first routed")
    if rule is not None and rule.priority is not None:
        return Ranked(rule.priority, f"keyword rule “{rule.name}” sets it")
    if facts.account is None:
        return Ranked(_lower(Priority.NORMAL), "one below normal: the contact has no account")
    start = _of_account(facts.account, policy)
    if facts.account.stage is AccountStage.PROSPECT:
        return Ranked(_lower(start.priority), f"one below {start.priority}, {start.why}: not a customer yet")
    return start


def _of_account(account: AccountFacts, policy: Policy) -> Ranked:
    if account.priority is not None:
        return Ranked(account.priority, f"the priority of {account.name}")
    if account.tier is not None and (priority := policy.tiers.get(account.tier.lower())):
        return Ranked(priority, f"{account.name} has tier {account.tier}")
    return Ranked(Priority.NORMAL, "nothing says otherwise")


def _lower(priority: Priority) -> Priority:
    return BY_RANK[min(RANKS[priority] + 1, len(BY_RANK) - 1)]

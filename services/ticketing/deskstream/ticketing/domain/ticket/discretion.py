"""W12: what a customer may read of a ticket: of its title, which may name a secret, and of its issues."""

from collections.abc import Iterable

from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.confidential import link_name, names_in, own_names
from deskstream.contracts.ids import IssueId
from deskstream.contracts.linked import IssueRef


def names_of(issue: IssueId, number: int, links: Iterable[str]) -> tuple[str, ...]:
    """By what a title may name a confidential issue; `links` are those that it had before."""
    return (*own_names(issue, number), *map(link_name, links))


def links_for_customers(facts: TicketFacts) -> list[str]:
    """Where the customer may read about its issues."""
    return [issue.public_link for issue in _issues(facts) if issue.public_link and not issue.confidential]


def is_filed(facts: TicketFacts) -> bool:
    """Whether the customer may be told that the problem was filed; of which issues no word."""
    return bool(_issues(facts))


def _issues(facts: TicketFacts) -> list[IssueRef]:
    return [issue for issue in facts.issues if not issue.deleted]


def title_for_customers(facts: TicketFacts, confidential: frozenset[str]) -> str:
    """The title; only the ticket's own name where it names a confidential issue."""
    if confidential and names_in(facts.title) & confidential:
        return f"TKT-{facts.number}"
    return facts.title

"""W12: what a customer may read of a ticket's title, which somebody may have written with a secret in it."""

from collections.abc import Iterable

from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.confidential import link_name, names_in, own_names
from deskstream.contracts.ids import IssueId


def names_of(issue: IssueId, number: int, links: Iterable[str]) -> tuple[str, ...]:
    """By what a title may name a confidential issue; `links` are those that it had before."""
    return (*own_names(issue, number), *map(link_name, links))


def title_for_customers(facts: TicketFacts, confidential: frozenset[str]) -> str:
    """The title; only the ticket's own name where it names a confidential issue."""
    if confidential and names_in(facts.title) & confidential:
        return f"TKT-{facts.number}"
    return facts.title

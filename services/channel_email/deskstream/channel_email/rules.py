"""What the operator said about mail: whose addresses are ours, who our colleagues are, whom we believe."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rules:
    """Addresses are lower case. An agent is an address, or `@domain` for everybody there."""

    inboxes: Mapping[str, str]
    """Address -> inbox."""
    secret: str
    """What reply tokens are signed with."""
    catch_all: str | None = None
    """Inbox of every other address of our domains."""
    agents: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    """List-Ids of mailing lists that only lead to us, so that their mails are people's."""
    authserv: str | None = None
    """The name under which our own mail server writes Authentication-Results; others' are not believed."""
    names: tuple[str, ...] = ()
    """What we are called, in lower case: nobody else's name may look like it."""
    domains: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "domains", frozenset(domain_of(address) for address in self.inboxes))

    def inbox_of(self, recipient: str) -> str | None:
        """The inbox that mail to this address belongs to, whatever follows a `+`; None when it is not for us."""
        address = without_plus(recipient)
        inbox = self.inboxes.get(address)
        return inbox or (self.catch_all if domain_of(address) in self.domains else None)

    def is_ours(self, address: str) -> bool:
        """Whether it leads to one of our inboxes by name."""
        return without_plus(address) in self.inboxes

    def is_agent(self, address: str) -> bool:
        return address in self.agents or f"@{domain_of(address)}" in self.agents

    def address_of(self, inbox: str) -> str:
        """The address that mail from an inbox comes from; the first one listed where it has several."""
        named = [address for address, leads_to in self.inboxes.items() if leads_to == inbox]
        return (named or list(self.inboxes))[0]


def without_plus(address: str) -> str:
    """`support+token@example.org` -> `support@example.org`, in lower case."""
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def plus_of(address: str) -> str:
    """`support+token@example.org` -> `token`."""
    return address.lower().rpartition("@")[0].partition("+")[2]


def domain_of(address: str) -> str:
    return address.rpartition("@")[2]


def lower(addresses: Iterable[str]) -> frozenset[str]:
    return frozenset(address.strip().lower() for address in addresses if address.strip())

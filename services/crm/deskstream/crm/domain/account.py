"""An account: the customer's organisation, its mail domains and its workspaces."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from deskstream.contracts import Refused
from deskstream.contracts.crm import AccountSaved, SaveAccount
from deskstream.contracts.facts import AccountFacts, WorkspaceFacts
from deskstream.contracts.ids import AccountId, AgentId, WorkspaceId
from deskstream.crm.domain.names import clean_name, name_key

DOMAIN_LIMIT = 200
WORKSPACE_LIMIT = 500

# As routing writes the handles of agents.
_AGENT = re.compile(r"[a-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Account:
    """`facts` is None until it is first saved. The first workspace is the default one."""

    id: AccountId
    number: int = 0
    facts: AccountFacts | None = None
    domains: tuple[str, ...] = ()
    workspaces: tuple[WorkspaceFacts, ...] = ()

    @property
    def shown_number(self) -> str:
        """As people write it."""
        return f"ACC-{self.number}"


@dataclass(frozen=True, slots=True)
class AccountWish:
    """What is asked for, its domains as they are compared. `problem` is what is wrong with it, whatever the account."""

    account_id: AccountId
    asked: SaveAccount
    number: int = 0
    """The account's if it is new."""
    domains: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    workspace_ids: tuple[WorkspaceId, ...] = ()
    """For each workspace that is named, its id if it is new."""
    problem: Refused | None = None


def decide(account: Account, wish: AccountWish, now: datetime) -> list[AccountSaved]:
    """Nothing, if everything asked for is so already."""
    if wish.problem is not None:
        raise wish.problem
    saved = AccountSaved(
        at=now,
        account_id=account.id,
        number=account.number or wish.number,
        account=_facts(account, wish.asked),
        domains=_domains(account, wish),
        workspaces=_workspaces(account, wish),
    )
    return [] if evolve(account, saved) == account else [saved]


def evolve(account: Account, event: AccountSaved) -> Account:
    return Account(account.id, event.number, event.account, event.domains, event.workspaces)


def check(asked: SaveAccount) -> None:
    """Raises `Refused` for what no account may be, whichever it is."""
    check_name(asked.name, "account")
    for workspace in asked.workspaces:
        check_name(workspace, "workspace")
    for owner in (asked.default_owner or "", *asked.workspace_owners.values()):
        check_owner(owner)


def check_owner(handle: str) -> None:
    """Raises `Refused` for what cannot be an agent's handle; the empty text names nobody."""
    if handle and not _AGENT.fullmatch(handle):
        raise Refused(
            "invalid_owner",
            "An owner is named by the handle of an agent: up to 64 of a-z, 0-9, _ and -.",
            owner=handle[:64],
        )


def check_name(name: str, of: str) -> None:
    """Raises `Refused` for a name of which nothing is left to see."""
    if not clean_name(name):
        raise Refused("invalid_name", f"The name of the {of} is empty: give it one that can be read.")


def _facts(account: Account, asked: SaveAccount) -> AccountFacts:
    before = account.facts or AccountFacts(id=account.id, name=clean_name(asked.name))
    changes: dict[str, object] = {}
    if asked.stage is not None:
        changes["stage"] = asked.stage
    if asked.tier is not None:
        changes["tier"] = clean_name(asked.tier) or None
    if asked.priority is not None:
        changes["priority"] = asked.priority
    if asked.default_owner is not None:
        changes["default_owner"] = asked.default_owner or None
    return before.model_copy(update=changes)


def _domains(account: Account, wish: AccountWish) -> tuple[str, ...]:
    kept = [domain for domain in account.domains if domain not in wish.removed]
    domains = tuple(dict.fromkeys([*kept, *wish.domains]))
    if len(domains) > DOMAIN_LIMIT:
        raise Refused("too_many_domains", f"An account has at most {DOMAIN_LIMIT} domains: split it into several.")
    return domains


def _workspaces(account: Account, wish: AccountWish) -> tuple[WorkspaceFacts, ...]:
    found = {name_key(workspace.name): workspace for workspace in account.workspaces}
    for name, new_id in zip(wish.asked.workspaces, wish.workspace_ids, strict=True):
        found.setdefault(name_key(name), WorkspaceFacts(id=new_id, name=clean_name(name)))
    for name, owner in wish.asked.workspace_owners.items():
        found[name_key(name)] = _owned(found, name, owner)
    if len(found) > WORKSPACE_LIMIT:
        raise Refused("too_many_workspaces", f"An account has at most {WORKSPACE_LIMIT} workspaces.")
    return tuple(found.values())


def _owned(found: Mapping[str, WorkspaceFacts], name: str, owner: AgentId) -> WorkspaceFacts:
    workspace = found.get(name_key(name))
    if workspace is None:
        raise unknown_workspace(name, [known.name for known in found.values()])
    return workspace.model_copy(update={"default_owner": owner or None})


def unknown_workspace(name: str, known: list[str]) -> Refused:
    """The refusal of a workspace that the account has not."""
    has = f"It has {', '.join(known[:10])}." if known else "It has none yet."
    return Refused(
        "unknown_workspace",
        f"The account has no workspace “{clean_name(name)}”. {has} Save it with the account first.",
        workspace=clean_name(name),
        known=known[:10],
    )

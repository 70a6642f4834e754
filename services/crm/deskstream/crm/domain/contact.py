"""A contact, as far as somebody in the dev org says something about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from deskstream.contracts import Refused
from deskstream.contracts.crm import ContactSaved, SaveContact
from deskstream.contracts.facts import ContactFacts, WorkspaceFacts
from deskstream.contracts.ids import AccountId, ContactId, WorkspaceId
from deskstream.crm.domain.account import unknown_workspace
from deskstream.crm.domain.names import clean_name, name_key

Organisations = Mapping[AccountId, tuple[WorkspaceFacts, ...]]
"""The workspaces of each account that the wishes of a batch may mean."""


@dataclass(frozen=True, slots=True)
class Contact:
    """`account_id` only where somebody gave it one; a workspace is always one of that account.

    `linked` and `unlinked` are the identities that this batch gave it and took away.
    """

    id: ContactId
    email: str | None = None
    name: str = ""
    phone: str | None = None
    account_id: AccountId | None = None
    workspace_id: WorkspaceId | None = None
    linked: tuple[str, ...] = ()
    unlinked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContactWish:
    """What is asked for, and what was found about it. `email` and `phone` are as they are compared."""

    contact_id: ContactId
    asked: SaveContact
    email: str = ""
    phone: str | None = None
    identities: tuple[str, ...] = ()
    """By which the contact shall be recognised."""
    claimed: tuple[str, ...] = ()
    """Those of them by which it is already."""
    given: AccountId | None = None
    """The account that is asked for."""
    found: AccountId | None = None
    """The account it belongs to unless one is given: by its mail domain."""
    organisations: Organisations = field(default_factory=dict)
    problem: Refused | None = None


def decide(contact: Contact, wish: ContactWish, now: datetime) -> list[ContactSaved]:
    """Nothing, if everything asked for is so already."""
    if wish.problem is not None:
        raise wish.problem
    home = _home(contact, wish)
    saved = ContactSaved(
        at=now,
        contact_id=contact.id,
        contact=_facts(contact, wish),
        account_id=home.account_id,
        given_account=home.given,
        workspace_id=home.workspace_id,
        linked=_linked(contact, wish),
        unlinked=_unlinked(contact, wish),
    )
    return [] if evolve(contact, saved) == contact else [saved]


def evolve(contact: Contact, event: ContactSaved) -> Contact:
    facts = event.contact
    return replace(
        contact,
        email=facts.email,
        name="" if facts.name == facts.email else facts.name,
        phone=facts.phone,
        account_id=event.account_id if event.given_account else None,
        workspace_id=event.workspace_id,
        linked=_without(contact.linked, event.unlinked) + event.linked,
        unlinked=_without(contact.unlinked, event.linked) + event.unlinked,
    )


def _without(identities: tuple[str, ...], gone: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(identity for identity in identities if identity not in gone)


def _facts(contact: Contact, wish: ContactWish) -> ContactFacts:
    asked = wish.asked
    email = contact.email or wish.email
    name = contact.name if asked.name is None else clean_name(asked.name)
    phone = contact.phone if asked.phone is None else wish.phone
    return ContactFacts(id=contact.id, name=name or email, email=email, phone=phone)


class _Home(NamedTuple):
    account_id: AccountId | None
    given: bool
    workspace_id: WorkspaceId | None


def _home(contact: Contact, wish: ContactWish) -> _Home:
    account_id = wish.given or contact.account_id or wish.found
    if wish.asked.workspace:
        # Whoever names a workspace means its account too, whatever becomes of the mail domain.
        return _Home(account_id, True, _workspace(wish.asked.workspace, account_id, wish.organisations).id)
    given = wish.given is not None or contact.account_id is not None
    keeps = wish.asked.workspace is None and account_id == contact.account_id
    return _Home(account_id, given, contact.workspace_id if keeps else None)


def _workspace(name: str, account_id: AccountId | None, organisations: Organisations) -> WorkspaceFacts:
    if account_id is None:
        raise Refused(
            "workspace_without_account",
            "The contact belongs to no account: name the account of the workspace too.",
            workspace=clean_name(name),
        )
    workspaces = organisations.get(account_id, ())
    for workspace in workspaces:
        if name_key(workspace.name) == name_key(name):
            return workspace
    raise unknown_workspace(name, [workspace.name for workspace in workspaces])


def _linked(contact: Contact, wish: ContactWish) -> tuple[str, ...]:
    return tuple(
        identity
        for identity in wish.identities
        if identity in contact.unlinked or identity not in wish.claimed + contact.linked
    )


def _unlinked(contact: Contact, wish: ContactWish) -> tuple[str, ...]:
    changes = wish.asked.phone is not None and contact.phone is not None and wish.phone != contact.phone
    return (f"tel:{contact.phone}",) if changes else ()

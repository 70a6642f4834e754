"""What the CRM says (`events.crm.>`) and can be asked."""

from pydantic import Field

from deskstream.contracts.facts import (
    AccountFacts,
    AccountStage,
    ContactFacts,
    Priority,
    ReceivedMessage,
    WorkspaceFacts,
)
from deskstream.contracts.ids import AccountId, AgentId, ContactId, ThreadId, WorkspaceId
from deskstream.contracts.message import Command, Event

LANE = "events.crm"


class SenderIdentified(Event, lane=LANE, key="thread_id"):
    """Who wrote, and for which organisation; keyed by the thread, so that its order survives."""

    thread_id: ThreadId
    new_thread: bool
    contact: ContactFacts
    new_contact: bool = False
    account: AccountFacts | None = None
    workspace: WorkspaceFacts | None = None
    named: bool = False
    """Whether this message gave the contact its name."""
    linked: tuple[str, ...] = ()
    """Identities by which the contact is recognised from now on: `mailto:…`, `tel:+…`, `<channel>/<external id>`."""
    message: ReceivedMessage


class AccountSaved(Event, lane=LANE, key="account_id"):
    account_id: AccountId
    number: int = 0
    """Shown as ACC-<number>."""
    account: AccountFacts
    domains: tuple[str, ...] = ()
    workspaces: tuple[WorkspaceFacts, ...] = ()


class ContactSaved(Event, lane=LANE, key="contact_id"):
    contact_id: ContactId
    contact: ContactFacts
    account_id: AccountId | None = None
    """The account it belongs to now: the one it was given, else the one that owns its mail domain."""
    given_account: bool = False
    """Whether somebody gave it that account, so that its mail domain no longer decides."""
    workspace_id: WorkspaceId | None = None
    linked: tuple[str, ...] = ()
    """Identities by which it is recognised from now on."""
    unlinked: tuple[str, ...] = ()
    """Identities by which it is recognised no longer."""


class SaveAccount(Command, service="crm"):
    """Creates the account of this name, or changes the fields given.

    Domains and workspaces are added to those it has. The empty text takes tier or default owner away.
    """

    name: str = Field(min_length=1, max_length=200)
    domains: tuple[str, ...] = Field((), max_length=50)
    """Company mail domains; free-mail domains are refused."""
    remove_domains: tuple[str, ...] = Field((), max_length=50)
    stage: AccountStage | None = None
    tier: str | None = Field(None, max_length=64)
    priority: Priority | None = None
    default_owner: AgentId | None = None
    workspaces: tuple[str, ...] = Field((), max_length=100)
    workspace_owners: dict[str, AgentId] = Field({}, max_length=100)
    """Workspace's name -> default owner, who comes before the account's."""


class SaveContact(Command, service="crm"):
    """Creates the contact of this address, or changes the fields given. The empty text takes name or phone away."""

    email: str = Field(min_length=3, max_length=320)
    name: str | None = Field(None, max_length=200)
    phone: str | None = Field(None, max_length=32)
    account: str | None = Field(None, max_length=200)
    """Name of an existing account."""
    workspace: str | None = Field(None, max_length=200)
    """Name of a workspace of that account; without `account`, of the one the contact belongs to."""


class FindAccount(Command, service="crm"):
    """One account with its domains and workspaces, by the first of these that is given."""

    number: str | None = Field(None, max_length=20)
    """`ACC-12`, or `12`."""
    name: str | None = Field(None, max_length=200)
    domain: str | None = Field(None, max_length=253)
    """A mail domain, or a subdomain of one."""


class FindContact(Command, service="crm"):
    """One contact, by the first of these that is given, with the account and workspace that it belongs to now.

    Answered with `{contact, account, workspace}`, each as `switch_requester` takes it. Who is in no account has none.
    """

    contact_id: ContactId | None = None
    email: str | None = Field(None, max_length=320)

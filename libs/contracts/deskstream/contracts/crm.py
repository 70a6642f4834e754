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
from deskstream.contracts.ids import AccountId, AgentId, ContactId, ThreadId
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
    message: ReceivedMessage


class AccountSaved(Event, lane=LANE, key="account_id"):
    account_id: AccountId
    account: AccountFacts
    domains: tuple[str, ...] = ()
    workspaces: tuple[WorkspaceFacts, ...] = ()


class ContactSaved(Event, lane=LANE, key="contact_id"):
    contact_id: ContactId
    contact: ContactFacts
    account_id: AccountId | None = None


class SaveAccount(Command, service="crm"):
    """Creates the account of this name, or changes the fields given."""

    name: str = Field(min_length=1, max_length=200)
    domains: tuple[str, ...] = Field((), max_length=50)
    """Company mail domains; free-mail domains are refused."""
    stage: AccountStage | None = None
    tier: str | None = Field(None, max_length=64)
    priority: Priority | None = None
    default_owner: AgentId | None = None
    workspaces: tuple[str, ...] = Field((), max_length=100)
    workspace_owners: dict[str, AgentId] = {}


class SaveContact(Command, service="crm"):
    """Creates the contact of this address, or changes the fields given."""

    email: str = Field(min_length=3, max_length=320)
    name: str | None = Field(None, max_length=200)
    phone: str | None = Field(None, max_length=32)
    account: str | None = Field(None, max_length=200)
    """Name of an existing account."""
    workspace: str | None = Field(None, max_length=200)

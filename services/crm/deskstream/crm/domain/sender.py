"""A sender: whoever a message comes from, recognised as a contact or made one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from deskstream.contracts.crm import SenderIdentified
from deskstream.contracts.facts import AccountFacts, ContactFacts, ReceivedMessage, WorkspaceFacts
from deskstream.contracts.ids import ContactId
from deskstream.contracts.inbound import AutomaticKind, Identity
from deskstream.contracts.ingest import MessageReceived
from deskstream.crm.domain.names import clean_name

# Mail servers report failures under this name, whatever else the report says about itself (RFC 5321, 6522).
_MACHINE = "mailer-daemon@"


@dataclass(frozen=True, slots=True)
class Addresses:
    """By which identities a message's sender may be recognised, strongest first, and how to reach them.

    `domains` are the company domains that the address may belong to, as `mail_domains` writes them.
    """

    identities: tuple[str, ...]
    email: str | None = None
    phone: str | None = None
    domains: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What is kept about an identity: its contact, None for a stranger's, and the organisation behind it.

    The contact's name is empty until somebody gave one.
    """

    contact: ContactFacts | None = None
    account: AccountFacts | None = None
    workspace: WorkspaceFacts | None = None


def person_of(received: MessageReceived) -> Identity:
    """Whom a message is about: its sender, or the customer to whom a colleague wrote when they copied us in."""
    message = received.message
    return message.requester if received.new_thread and message.requester is not None else message.sender


Kept: TypeAlias = Mapping[tuple[str, str], Found]
"""(identity, domains) -> what is kept."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A message whose sender is to be found; `new_id` is the contact's if it is a stranger."""

    received: MessageReceived
    new_id: ContactId
    addresses: Addresses


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message with what was found about its sender. `unclaimed` identities belong to nobody yet."""

    received: MessageReceived
    contact_id: ContactId
    addresses: Addresses
    found: Found
    unclaimed: tuple[str, ...] = ()

    @property
    def person(self) -> Identity:
        """Whose contact it is."""
        return person_of(self.received)


@dataclass(frozen=True, slots=True)
class Sender:
    """What this batch learns about one sender; about who is known already it is nothing."""

    found: Found | None = None
    linked: tuple[str, ...] = ()


UNSEEN = Sender()


def recognise(asked: Sequence[Asked], kept: Kept) -> list[Arrived]:
    """Who wrote each message. Two messages of one stranger are of one contact: the earlier one counts."""
    met: dict[str, tuple[ContactId, Found]] = {}
    return [_recognise(one, kept, met) for one in asked]


def _recognise(asked: Asked, kept: Kept, met: dict[str, tuple[ContactId, Found]]) -> Arrived:
    addresses = asked.addresses
    identities, domains = addresses.identities, addresses.domains
    found = kept[identities[0], domains]
    if found.contact is not None and len(identities) == 1:
        return Arrived(asked.received, found.contact.id, addresses, found)
    contact_id, found = _first_known(asked, kept, met)
    unclaimed = tuple(
        identity
        for identity in identities
        if kept[identity, domains].contact is None and met.get(identity, (contact_id,))[0] == contact_id
    )
    if not _is_machine(asked.received.message):
        met |= dict.fromkeys(unclaimed, (contact_id, found))
    return Arrived(asked.received, contact_id, addresses, found, unclaimed)


def _first_known(asked: Asked, kept: Kept, met: Mapping[str, tuple[ContactId, Found]]) -> tuple[ContactId, Found]:
    for identity in asked.addresses.identities:
        found = kept[identity, asked.addresses.domains]
        if found.contact is not None:
            return found.contact.id, found
        if identity in met:
            return met[identity]
    return asked.new_id, kept[asked.addresses.identities[0], asked.addresses.domains]


def decide(sender: Sender, arrived: Arrived, now: datetime) -> list[SenderIdentified]:
    """Exactly one event for each message."""
    found = sender.found or arrived.found
    if found.contact is not None:
        return [_greet_known(sender, arrived, found, found.contact, now)]
    if _is_machine(arrived.received.message):
        return [_identified(arrived, Found(_stranger(arrived)), now)]
    stranger = _stranger(arrived)
    return [
        _identified(
            arrived, Found(stranger, found.account, found.workspace), now,
            new=True, named=bool(stranger.name), linked=arrived.unclaimed,
        )
    ]  # fmt: skip


def _greet_known(
    sender: Sender, arrived: Arrived, found: Found, contact: ContactFacts, now: datetime
) -> SenderIdentified:
    linked = tuple(identity for identity in arrived.unclaimed if identity not in sender.linked)
    name = contact.name or _given_name(arrived)
    external_id = arrived.person.external_id
    if linked or name != contact.name or external_id is not None:
        learnt = {"name": name, "external_id": external_id or contact.external_id}
        if linked:
            learnt["email"] = contact.email or arrived.addresses.email
            learnt["phone"] = contact.phone or arrived.addresses.phone
        found = Found(contact.model_copy(update=learnt), found.account, found.workspace)
    return _identified(arrived, found, now, named=name != contact.name, linked=linked)


def _identified(
    arrived: Arrived,
    found: Found,
    now: datetime,
    *,
    new: bool = False,
    named: bool = False,
    linked: tuple[str, ...] = (),
) -> SenderIdentified:
    received, contact = arrived.received, found.contact
    assert contact is not None
    # Built from values that were validated when they came in: this runs for every message.
    return SenderIdentified.model_construct(
        at=now,
        thread_id=received.thread_id,
        new_thread=received.new_thread,
        contact=shown(contact),
        new_contact=new,
        account=found.account,
        workspace=found.workspace,
        named=named,
        linked=linked,
        message=received.message,
    )


def _stranger(arrived: Arrived) -> ContactFacts:
    return ContactFacts(
        id=arrived.contact_id,
        name=_given_name(arrived),
        email=arrived.addresses.email,
        phone=arrived.addresses.phone,
        external_id=arrived.person.external_id,
    )


def _given_name(arrived: Arrived) -> str:
    """What the sender calls themselves; many a mail program repeats the address there, which is no name."""
    name = clean_name(arrived.person.name)
    addresses = arrived.addresses
    others = (addresses.email, addresses.phone, arrived.person.external_id)
    return "" if name.lower() in others or name in others else name


def _is_machine(message: ReceivedMessage) -> bool:
    """Whether nobody is behind it who could ever be answered: a report of a mail server."""
    if message.automatic is not None and message.automatic.kind is AutomaticKind.BOUNCE:
        return True
    return message.sender.email is not None and message.sender.email.lower().startswith(_MACHINE)


def shown(contact: ContactFacts) -> ContactFacts:
    """By name, else by address."""
    return contact if contact.name else contact.model_copy(update={"name": _stand_in(contact)})


def _stand_in(contact: ContactFacts) -> str:
    return contact.email or contact.phone or contact.external_id or ""


def evolve(sender: Sender, event: SenderIdentified) -> Sender:
    """The same sender unless there is something to write."""
    if not (event.new_contact or event.named or event.linked):
        return sender
    contact = event.contact
    if contact.name == _stand_in(contact):
        contact = contact.model_copy(update={"name": ""})
    return Sender(Found(contact, event.account, event.workspace), sender.linked + event.linked)


def take_back(sender: Sender, arrived: Arrived, event: SenderIdentified) -> Sender:
    """What was said of a message before the database was put back. Who was met again meanwhile stays whom they became:
    identities belong to one contact, and that one has been told on too."""
    if arrived.contact_id != event.contact.id:
        return sender
    free = tuple(one for one in event.linked if one in arrived.unclaimed and one not in sender.linked)
    return evolve(sender, event.model_copy(update={"linked": free}))

"""What the CRM hears and answers, and what it looks up before it decides."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from deskstream.contracts import Event
from deskstream.contracts.crm import FindAccount, FindContact, SaveAccount, SaveContact
from deskstream.contracts.ids import ContactId, object_id
from deskstream.contracts.ingest import MessageReceived
from deskstream.crm import wishes
from deskstream.crm.domain import Account, Arrived, Asked, Contact, account, contact, sender
from deskstream.crm.identities import AddressRules
from deskstream.crm.store import accounts, contacts, senders
from deskstream.messaging import Aggregate, Answer, Heard, On, Query, Tx
from deskstream.messaging.declare import Answers, Hears

# Unique identities guard the making of a contact; a lock would cost the mail of every known sender a statement.
SENDERS = Aggregate(
    "sender", senders.load, senders.save, sender.decide, sender.evolve, locks=False, take_back=sender.take_back
)
ACCOUNTS = Aggregate("account", accounts.load, accounts.save, account.decide, account.evolve)
CONTACTS = Aggregate("contact", contacts.load, contacts.save, contact.decide, contact.evolve)


def hears(rules: AddressRules) -> list[Hears]:
    return [
        On(MessageReceived, SENDERS, key=lambda arrived: arrived.contact_id, resolve=partial(recognise, rules)),
    ]


def answers(rules: AddressRules) -> list[Answers]:
    return [
        Answer(
            SaveAccount, ACCOUNTS, key=lambda wish: wish.account_id,
            resolve=partial(wishes.read_accounts, rules), result=account_saved,
        ),
        Answer(
            SaveContact, CONTACTS, key=lambda wish: wish.contact_id,
            resolve=partial(wishes.read_contacts, rules), result=contact_saved,
        ),
        Query(FindAccount, find_account),
        Query(FindContact, find_contact),
    ]  # fmt: skip


async def recognise(
    rules: AddressRules, tx: Tx, heard: Sequence[Heard[MessageReceived]], now: datetime
) -> list[Arrived]:
    asked = [
        Asked(
            one.data,
            ContactId(object_id(one.id, "contact")),
            rules.addresses(sender.person_of(one.data), one.data.message.channel),
        )
        for one in heard
    ]
    pairs = {(identity, one.addresses.domains) for one in asked for identity in one.addresses.identities}
    return sender.recognise(asked, await senders.look_up(tx, pairs))


def account_saved(saved: Account, said: Sequence[Event]) -> dict[str, Any]:
    assert saved.facts is not None
    return {
        **saved.facts.model_dump(mode="json"),
        "number": saved.shown_number,
        "domains": list(saved.domains),
        "workspaces": [workspace.model_dump(mode="json") for workspace in saved.workspaces],
    }


def contact_saved(saved: Contact, said: Sequence[Event]) -> dict[str, Any]:
    return {
        "id": str(saved.id),
        "name": saved.name or saved.email,
        "email": saved.email,
        "phone": saved.phone,
        "given_account_id": str(saved.account_id) if saved.account_id else None,
        "workspace_id": str(saved.workspace_id) if saved.workspace_id else None,
    }


async def find_account(tx: Tx, asked: FindAccount) -> dict[str, Any]:
    found = await wishes.find_account(tx, asked)
    return account_saved(found, ())


async def find_contact(tx: Tx, asked: FindContact) -> dict[str, Any]:
    found = await wishes.find_contact(tx, asked)
    facts = {"contact": found.contact, "account": found.account, "workspace": found.workspace}
    return {name: one.model_dump(mode="json") if one else None for name, one in facts.items()}

"""From commands to wishes: what is asked for, with what the tables know about it."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from deskstream.contracts import Refused
from deskstream.contracts.crm import FindAccount, FindContact, SaveAccount, SaveContact
from deskstream.contracts.ids import AccountId, ContactId, WorkspaceId, object_id
from deskstream.crm.domain import Account, AccountWish, ContactWish
from deskstream.crm.domain.account import check
from deskstream.crm.domain.contact import Organisations
from deskstream.crm.domain.names import clean_name, name_key
from deskstream.crm.domain.sender import Found, Kept, shown
from deskstream.crm.identities import (
    AddressRules,
    canonical_domain,
    mail_domains,
    mail_identity,
    phone_identity,
    valid_email,
)
from deskstream.crm.store import accounts, senders
from deskstream.messaging import Heard, Tx

_NUMBER = re.compile(r"[0-9]{1,18}")

Owners: TypeAlias = dict[str, tuple[AccountId, str]]
"""Domain -> the account that has it, with its name."""


async def read_accounts(
    rules: AddressRules, tx: Tx, heard: Sequence[Heard[SaveAccount]], now: datetime
) -> list[AccountWish]:
    """Finds each account by its name, and whose its domains are; an earlier wish of the batch counts for a later."""
    wishes = [_account_wish(rules, one) for one in heard]
    known = await accounts.find(tx, names=[name_key(wish.asked.name) for wish in wishes])
    ids = {name_key(account.facts.name): account.id for account in known if account.facts}
    taken = await accounts.domain_owners(tx, [domain for wish in wishes for domain in wish.domains])
    owners = {domain: (account.id, _label(account)) for domain, account in taken.items()}
    claimed = [_claim_domains(wish, ids, owners) for wish in wishes]
    return await _number(tx, claimed, {account.id for account in known})


async def _number(tx: Tx, wishes: Sequence[AccountWish], known: Collection[AccountId]) -> list[AccountWish]:
    new = dict.fromkeys(w.account_id for w in wishes if w.problem is None and w.account_id not in known)
    numbers = dict(zip(new, await accounts.take_numbers(tx, len(new)), strict=True))
    return [replace(wish, number=numbers.get(wish.account_id, 0)) for wish in wishes]


async def read_contacts(
    rules: AddressRules, tx: Tx, heard: Sequence[Heard[SaveContact]], now: datetime
) -> list[ContactWish]:
    """Finds each contact by its address, its account by name; an earlier wish of the batch counts for a later."""
    wishes = [_contact_wish(rules, one) for one in heard]
    pairs = {(identity, mail_domains(wish.email)) for wish in wishes for identity in wish.identities}
    kept = await senders.look_up(tx, pairs)
    known = await accounts.find(
        tx,
        ids=[found.account.id for found in kept.values() if found.account],
        names=[name_key(wish.asked.account) for wish in wishes if wish.asked.account is not None],
    )
    look_up = _LookUp(
        kept,
        by_name={name_key(account.facts.name): account.id for account in known if account.facts},
        organisations={account.id: account.workspaces for account in known},
    )
    return [look_up.complete(wish) for wish in wishes]


def _account_wish(rules: AddressRules, heard: Heard[SaveAccount]) -> AccountWish:
    asked = heard.data
    wish = AccountWish(
        account_id=AccountId(object_id(heard.id, "account")),
        asked=asked,
        removed=tuple(canonical_domain(domain.strip().removeprefix("@")) for domain in asked.remove_domains),
        workspace_ids=tuple(WorkspaceId(object_id(heard.id, "workspace", n)) for n in range(len(asked.workspaces))),
    )
    try:
        check(asked)
        return replace(wish, domains=tuple(rules.company_domain(domain) for domain in asked.domains))
    except Refused as problem:
        return replace(wish, problem=problem)


def _claim_domains(wish: AccountWish, ids: dict[str, AccountId], owners: Owners) -> AccountWish:
    account_id = ids.setdefault(name_key(wish.asked.name), wish.account_id)
    wish = replace(wish, account_id=account_id, problem=wish.problem or _taken(wish.domains, account_id, owners))
    if wish.problem is None:
        for domain in wish.removed:
            if domain in owners and owners[domain][0] == account_id:
                del owners[domain]
        owners |= dict.fromkeys(wish.domains, (account_id, clean_name(wish.asked.name)))
    return wish


def _taken(domains: Sequence[str], account_id: AccountId, owners: Owners) -> Refused | None:
    for domain in domains:
        owner_id, owner = owners.get(domain, (account_id, ""))
        if owner_id != account_id:
            return Refused(
                "domain_taken",
                f"{domain} belongs to {owner}: remove it there first.",
                domain=domain, account_id=str(owner_id), account=owner,
            )  # fmt: skip
    return None


def _label(account: Account) -> str:
    return f"{account.facts.name} ({account.shown_number})" if account.facts else account.shown_number


def _contact_wish(rules: AddressRules, heard: Heard[SaveContact]) -> ContactWish:
    asked = heard.data
    wish = ContactWish(ContactId(object_id(heard.id, "contact")), asked)
    try:
        email = valid_email(asked.email)
        wish = replace(wish, email=email, identities=(mail_identity(email),))
        if not asked.phone:
            return wish
        phone = rules.valid_phone(asked.phone)
        return replace(wish, phone=phone, identities=(*wish.identities, phone_identity(phone)))
    except Refused as problem:
        return replace(wish, problem=problem)


@dataclass(frozen=True, slots=True)
class _LookUp:
    """What the tables know about the wishes of a batch, and what its earlier wishes claim."""

    kept: Kept
    by_name: Mapping[str, AccountId]
    organisations: Organisations
    claims: dict[str, ContactId] = field(default_factory=dict)

    def complete(self, wish: ContactWish) -> ContactWish:
        if wish.problem is not None:
            return wish
        domains = mail_domains(wish.email)
        contact_id = self._owner(wish.identities[0], domains) or wish.contact_id
        found = self.kept[wish.identities[0], domains].account
        problem = self._unknown_account(wish) or self._phone_taken(wish, contact_id, domains)
        if problem is None:
            self.claims.update(dict.fromkeys(wish.identities, contact_id))
        return replace(
            wish,
            contact_id=contact_id,
            claimed=tuple(i for i in wish.identities if self._keeper(i, domains) == contact_id),
            given=self.by_name.get(name_key(wish.asked.account)) if wish.asked.account is not None else None,
            found=found.id if found else None,
            organisations=self.organisations,
            problem=problem,
        )

    def _keeper(self, identity: str, domains: str) -> ContactId | None:
        contact = self.kept[identity, domains].contact
        return contact.id if contact else None

    def _owner(self, identity: str, domains: str) -> ContactId | None:
        return self._keeper(identity, domains) or self.claims.get(identity)

    def _unknown_account(self, wish: ContactWish) -> Refused | None:
        name = wish.asked.account
        if name is None or name_key(name) in self.by_name:
            return None
        return unknown_account(name)

    def _phone_taken(self, wish: ContactWish, contact_id: ContactId, domains: str) -> Refused | None:
        for identity in wish.identities[1:]:
            owner = self._owner(identity, domains)
            if owner is not None and owner != contact_id:
                return Refused(
                    "phone_taken", f"Another contact has the number {wish.phone}: take it away there first.",
                    phone=wish.phone, contact_id=str(owner),
                )  # fmt: skip
        return None


def unknown_account(name: str) -> Refused:
    """The refusal of an account that is not there."""
    return Refused("unknown_account", f"There is no account “{clean_name(name)}”: save it first.", account=name)


async def find_account(tx: Tx, asked: FindAccount) -> Account:
    """The account with its domains and workspaces. Raises `Refused` when there is none."""
    if asked.number is not None:
        digits = asked.number.strip().upper().removeprefix("ACC-")
        found = await accounts.find(tx, numbers=[int(digits)]) if _NUMBER.fullmatch(digits) else []
    elif asked.name is not None:
        found = await accounts.find(tx, names=[name_key(asked.name)])
    else:
        found = await accounts.find(tx, ids=await _owner_of(tx, asked.domain or ""))
    if not found:
        raise unknown_account(asked.number or asked.name or asked.domain or "")
    return found[0]


async def _owner_of(tx: Tx, domain: str) -> list[AccountId]:
    domains = mail_domains(f"@{canonical_domain(domain.strip().removeprefix('@'))}").split()
    owners = await accounts.domain_owners(tx, domains)
    return [owners[domain].id for domain in domains if domain in owners][:1]


async def find_contact(tx: Tx, asked: FindContact) -> Found:
    """Who it is, and for which organisation, as a message of theirs tells it. Raises `Refused` when there is none."""
    if asked.contact_id is not None:
        found = await senders.find(tx, asked.contact_id)
    else:
        email = valid_email(asked.email or "")
        key = (mail_identity(email), mail_domains(email))
        found = (await senders.look_up(tx, [key]))[key]
    if found.contact is None:
        named = asked.contact_id or asked.email
        raise Refused("unknown_contact", f"The CRM knows no contact {named}: save it first, with its address.")
    return replace(found, contact=shown(found.contact))

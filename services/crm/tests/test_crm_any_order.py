"""Laws of recognising, over rules alone: what is kept lives in a dictionary."""

from collections import defaultdict
from typing import Any
from uuid import UUID, uuid5

from hypothesis import given, settings
from hypothesis import strategies as st

from deskstream.contracts.ids import ContactId
from deskstream.contracts.inbound import Automatic
from deskstream.crm.domain import Asked, Found
from deskstream.crm.domain.sender import UNSEEN, Sender, decide, evolve, recognise
from deskstream.crm.identities import AddressRules

RULES = AddressRules(vouching=frozenset({"slack"}))
BOUNCE = Automatic(kind="bounce", reason="null return path")

SENDERS: list[dict[str, Any]] = [
    {"email": "anna@acme.com"},
    {"email": "ANNA@acme.com", "name": "Anna"},
    {"email": "bob@x.org", "name": "Bob"},
    {"email": "bob@x.org", "automatic": BOUNCE},
    {"email": "mailer-daemon@x.org"},
    {"phone": "+491711234567", "channel": "whatsapp"},
    {"phone": "+49 171 1234567", "channel": "sms", "name": "Carl"},
    {"external_id": "U1", "channel": "slack"},
    {"external_id": "U1", "channel": "slack", "name": "Dora"},
    {"external_id": "U1", "channel": "forms", "email": "anna@acme.com"},
]
LINKING: list[dict[str, Any]] = [
    {"external_id": "U2", "channel": "slack", "email": "anna@acme.com"},
    {"external_id": "U1", "channel": "slack", "email": "bob@x.org", "phone": "+491711234567"},
    {"external_id": "U3", "channel": "slack", "email": "eve@x.org"},
    {"email": "eve@x.org"},
]


class Book:
    """Keeps what the tables would."""

    def __init__(self):
        self.owners, self.contacts, self.made = {}, {}, 0

    def hear(self, batch):
        asked = [self.asked(message) for message in batch]
        pairs = [(i, one.addresses.domains) for one in asked for i in one.addresses.identities]
        kept = {pair: Found(self.contacts.get(self.owners.get(pair[0]))) for pair in pairs}
        states: defaultdict[ContactId, Sender] = defaultdict(lambda: UNSEEN)
        said = []
        for arrived in recognise(asked, kept):
            [event] = decide(states[arrived.contact_id], arrived, arrived.received.at)
            states[arrived.contact_id] = evolve(states[arrived.contact_id], event)
            said.append((arrived.addresses.identities, event))
        self.keep(states)
        return said

    def asked(self, message):
        self.made += 1
        return Asked(
            message,
            ContactId(uuid5(UUID(int=0), str(self.made))),
            RULES.addresses(message.message.sender, message.message.channel),
        )

    def keep(self, states):
        for contact_id, state in states.items():
            if state is not UNSEEN:
                self.contacts[contact_id] = state.found.contact
                taken = [identity for identity in state.linked if identity in self.owners]
                assert taken == [], "the unique index would refuse this"
                self.owners |= dict.fromkeys(state.linked, contact_id)


def batches(senders):
    return st.lists(st.lists(st.sampled_from(senders), min_size=1, max_size=6), max_size=6)


@settings(deadline=None, max_examples=300)
@given(batches(SENDERS))
def test_any_order_in_any_batches_makes_one_contact_of_each_identity(letter, drawn):
    book = Book()
    said = [one for batch in drawn for one in book.hear([letter(**sender) for sender in batch])]
    # A bounce that came before its person was known is nobody's.
    recorded = [(identities[0], event) for identities, event in said if event.contact.id in book.contacts]
    assert {(first, event.contact.id) for first, event in recorded} == set(book.owners.items())
    assert sum(event.new_contact for _, event in said) == len(book.contacts) == len(book.owners)
    assert {first for first, event in recorded if event.new_contact} == set(book.owners)
    named = {"mailto:anna@acme.com": "Anna", "mailto:bob@x.org": "Bob", "tel:+491711234567": "Carl"}
    for first, event in recorded:
        assert event.contact.name in {named.get(first, "Dora"), event.contact.email, event.contact.phone, "U1"}


@settings(deadline=None, max_examples=300)
@given(batches(SENDERS + LINKING))
def test_an_identity_belongs_to_one_contact_for_ever(letter, drawn):
    book = Book()
    before: dict[str, ContactId] = {}
    for batch in drawn:
        said = book.hear([letter(**sender) for sender in batch])
        assert len(said) == len(batch)
        assert before.items() <= book.owners.items()
        before = dict(book.owners)
        for identities, event in said:
            if event.contact.id in book.contacts:
                assert book.owners[identities[0]] == event.contact.id


@settings(deadline=None, max_examples=300)
@given(batches(SENDERS + LINKING))
def test_what_is_known_is_not_written_again(letter, drawn):
    book = Book()
    for batch in drawn:
        book.hear([letter(**sender) for sender in batch])
    again = [one for batch in drawn for one in book.hear([letter(**sender) for sender in batch])]
    third = [one for batch in drawn for one in book.hear([letter(**sender) for sender in batch])]
    assert not any(event.new_contact or event.linked or event.named for _, event in third)
    assert [event.contact.id for i, event in again if i[0] in book.owners] == [
        event.contact.id for i, event in third if i[0] in book.owners
    ]


def test_a_full_batch(letter):
    book = Book()
    book.hear([letter(**sender) for sender in SENDERS * 20])
    assert sorted(book.owners) == [
        "forms/U1", "mailto:anna@acme.com", "mailto:bob@x.org", "slack/U1", "tel:+491711234567",
    ]  # fmt: skip
    assert len(book.contacts) == len(book.owners)

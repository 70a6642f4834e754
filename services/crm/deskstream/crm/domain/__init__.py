"""The rules: who a sender is, what an account and a contact may become."""

from deskstream.crm.domain.account import Account, AccountWish
from deskstream.crm.domain.contact import Contact, ContactWish
from deskstream.crm.domain.sender import Addresses, Arrived, Asked, Found, Sender

__all__ = [
    "Account",
    "AccountWish",
    "Addresses",
    "Arrived",
    "Asked",
    "Contact",
    "ContactWish",
    "Found",
    "Sender",
]

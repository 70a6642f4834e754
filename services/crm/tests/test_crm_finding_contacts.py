"""Who is asked for, and for which organisation: what switching a requester takes over (W5)."""

from uuid import UUID

import pytest

from deskstream.contracts import Refused
from deskstream.contracts.crm import FindContact, SaveAccount, SaveContact

ACCOUNTS = (
    SaveAccount(name="Acme", domains=("acme.com",), workspaces=("Production", "Staging")),
    SaveAccount(name="Agency", workspaces=("Main",)),
    SaveAccount(name="Mill"),
)


@pytest.mark.parametrize(
    ("saved", "account", "workspace"),
    [
        pytest.param({"email": "zoe@acme.com"}, "Acme", "Production", id="by mail domain, in the first workspace"),
        pytest.param({"email": "zoe@sub.acme.com"}, "Acme", "Production", id="below the mail domain"),
        pytest.param({"email": "zoe@acme.com", "workspace": "Staging"}, "Acme", "Staging", id="in a workspace"),
        pytest.param({"email": "zoe@acme.com", "account": "Agency"}, "Agency", "Main", id="given another account"),
        pytest.param({"email": "zoe@acme.com", "account": "Mill"}, "Mill", None, id="an account without workspaces"),
        pytest.param({"email": "zoe@x.org"}, None, None, id="of nobody"),
    ],
)
@pytest.mark.parametrize("by", ["id", "address"])
async def test_w5_a_contact_is_found_with_its_organisation(crm, saved, account, workspace, by):
    await crm.ask(*ACCOUNTS)
    [contact] = await crm.ask(SaveContact(name="Zoe", **saved))
    asked = FindContact(contact_id=UUID(contact["id"])) if by == "id" else FindContact(email=saved["email"].upper())
    found = await crm.find(asked)
    assert (found["contact"]["id"], found["contact"]["name"]) == (contact["id"], "Zoe")
    assert [found[name] and found[name]["name"] for name in ("account", "workspace")] == [account, workspace]


async def test_w5_it_is_the_same_that_a_message_says(crm, letter):
    await crm.ask(*ACCOUNTS)
    [[said]] = await crm.hear(letter("zoe@acme.com"))
    found = await crm.find(FindContact(contact_id=said.contact.id))
    told = {"contact": said.contact, "account": said.account, "workspace": said.workspace}
    assert found == {name: one.model_dump(mode="json") for name, one in told.items()}
    assert found["contact"]["name"] == "zoe@acme.com"


async def test_w5_who_has_no_mail_address_is_found_by_id(crm, letter):
    [[said]] = await crm.hear(letter(phone="+491711234567", channel="whatsapp"))
    found = await crm.find(FindContact(contact_id=said.contact.id))
    assert (found["contact"]["phone"], found["account"], found["workspace"]) == ("+491711234567", None, None)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        pytest.param({"contact_id": UUID(int=7)}, "unknown_contact", id="an id that nobody has"),
        pytest.param({"email": "nobody@acme.com"}, "unknown_contact", id="an address that nobody has"),
        pytest.param({"email": "no address"}, "invalid_email", id="no address"),
        pytest.param({}, "invalid_email", id="nothing at all"),
    ],
)
async def test_w5_who_is_not_known_is_refused(crm, asked, code):
    await crm.ask(*ACCOUNTS)
    with pytest.raises(Refused) as refused:
        await crm.find(FindContact(**asked))
    assert refused.value.code == code

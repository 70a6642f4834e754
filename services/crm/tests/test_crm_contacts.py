import pytest

from deskstream.contracts import Refused
from deskstream.contracts.crm import ContactSaved, SaveAccount, SaveContact

ACCOUNTS = (
    SaveAccount(name="Acme", domains=("acme.com",), workspaces=("Production", "Staging")),
    SaveAccount(name="Agency", workspaces=("Main",)),
)


async def ids_of(crm):
    acme, agency = await crm.ask(*ACCOUNTS)
    homes = {home["name"]: home["id"] for account in (acme, agency) for home in account["workspaces"]}
    return {acme["id"]: "Acme", agency["id"]: "Agency"} | {value: key for key, value in homes.items()} | {None: None}


@pytest.mark.parametrize(
    ("saves", "account", "workspace"),
    [
        pytest.param([{}], None, None, id="the mail domain decides, so nothing is given"),
        pytest.param([{"account": "acme"}], "Acme", None, id="given by name"),
        pytest.param([{"account": "Agency"}], "Agency", None, id="given against the mail domain"),
        pytest.param([{"workspace": "staging"}], "Acme", "Staging", id="a workspace means its account"),
        pytest.param([{"account": "Agency", "workspace": "Main"}], "Agency", "Main", id="both"),
        pytest.param([{"workspace": "Staging"}, {"name": "Zoe"}], "Acme", "Staging", id="both stay"),
        pytest.param([{"workspace": "Staging"}, {"account": "Acme"}], "Acme", "Staging", id="the same account again"),
        pytest.param([{"workspace": "Staging"}, {"account": "Agency"}], "Agency", None, id="another account's is left"),
        pytest.param([{"workspace": "Staging"}, {"workspace": ""}], "Acme", None, id="the workspace taken away"),
        pytest.param(
            [{"account": "Agency"}, {"workspace": "Main"}], "Agency", "Main", id="one of the account given before"
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
async def test_g3_where_a_contact_belongs(crm, saves, account, workspace, together):
    named = await ids_of(crm)
    asked = [SaveContact(**{"email": "zoe@acme.com"} | save) for save in saves]
    answers = await crm.ask(*asked) if together else [answer for one in asked for answer in await crm.ask(one)]
    assert (named[answers[-1]["given_account_id"]], named[answers[-1]["workspace_id"]]) == (account, workspace)


async def test_the_event_names_the_account_it_belongs_to_now(crm):
    named = await ids_of(crm)
    [(said, _)] = await crm.run(crm.wiring.answers[SaveContact], [SaveContact(email="Zoe@Acme.com", name=" Zoe ")])
    assert [type(event) for event in said] == [ContactSaved]
    assert (named[str(said[0].account_id)], said[0].given_account) == ("Acme", False)
    assert (said[0].contact.name, said[0].contact.email) == ("Zoe", "zoe@acme.com")
    assert said[0].linked == ("mailto:zoe@acme.com",)


async def test_saving_what_is_so_already_says_and_writes_nothing(crm):
    asked = SaveContact(email="zoe@x.org", name="Zoe", phone="+49 171 1234567")
    await crm.ask(asked)
    [(said, answer)] = await crm.run(crm.wiring.answers[SaveContact], [asked])
    assert (said, crm.written, answer["phone"]) == ([], 0, "+491711234567")


async def test_a_contact_that_wrote_is_the_one_that_is_saved(crm, letter):
    [[said]] = await crm.hear(letter("zoe@x.org"))
    [answer] = await crm.ask(SaveContact(email="ZOE@x.org", name="Zoe"))
    assert answer["id"] == str(said.contact.id)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        pytest.param({"email": "no address"}, "invalid_email", id="no address"),
        pytest.param({"email": "zoe@"}, "invalid_email", id="no domain"),
        pytest.param({"email": "zoe@acme..com"}, "invalid_email", id="an empty label"),
        pytest.param({"email": "Zoe <zoe@acme.com>"}, "invalid_email", id="a name with it"),
        pytest.param({"email": "zoe@acme.com\r\nBcc: all@x.org"}, "invalid_email", id="hostile: a header"),
        pytest.param({"email": "zoe\0@acme.com"}, "invalid_email", id="hostile: NUL"),
        pytest.param({"email": "=cmd|' /C calc'!A0"}, "invalid_email", id="hostile: a formula"),
        pytest.param({"phone": "0171 1234567"}, "invalid_phone", id="a number without its country"),
        pytest.param({"phone": "call me"}, "invalid_phone", id="no number"),
        pytest.param({"phone": "+49171" + "1" * 20}, "invalid_phone", id="a number too long"),
        pytest.param({"phone": "+491700000000"}, "phone_taken", id="a number of somebody else"),
        pytest.param({"account": "Nobody"}, "unknown_account", id="an account that is not there"),
        pytest.param({"account": ""}, "unknown_account", id="an account without a name"),
        pytest.param({"workspace": "Main"}, "unknown_workspace", id="a workspace of another account"),
        pytest.param(
            {"email": "zoe@x.org", "workspace": "Main"}, "workspace_without_account", id="a workspace of no account"
        ),
    ],
)
async def test_what_a_contact_may_not_be(crm, asked, code):
    await crm.ask(*ACCOUNTS)
    await crm.ask(SaveContact(email="other@x.org", phone="+49 170 0000000"))
    [refusal] = await crm.ask(SaveContact(**{"email": "zoe@acme.com"} | asked))
    assert isinstance(refusal, Refused)
    assert refusal.code == code
    assert await crm.pool.fetchval("SELECT count(*) FROM contacts") == 1


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
async def test_a_number_changes_hands(crm, letter, together):
    number, other = "+491711111111", "+491712222222"
    asked = [
        SaveContact(email="a@x.org", phone=number),
        SaveContact(email="a@x.org", phone=other),
        SaveContact(email="a@x.org", phone=number),
        SaveContact(email="a@x.org", phone=""),
    ]
    answers = await crm.ask(*asked) if together else [answer for one in asked for answer in await crm.ask(one)]
    assert [answer["phone"] for answer in answers] == [number, other, number, None]
    [taker] = await crm.ask(SaveContact(email="b@x.org", phone=number))
    [[said]] = await crm.hear(letter(phone=number, channel="whatsapp"))
    assert str(said.contact.id) == taker["id"]
    assert await crm.pool.fetchval("SELECT count(*) FROM identities") == 3


async def test_two_contacts_of_a_batch_cannot_have_one_number(crm):
    first, second = await crm.ask(*(SaveContact(email=f"{who}@x.org", phone="+491711111111") for who in "ab"))
    assert (first["phone"], second.code) == ("+491711111111", "phone_taken")

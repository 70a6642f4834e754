import pytest
from asyncpg import UniqueViolationError

from deskstream.contracts import Refused
from deskstream.contracts.crm import AccountSaved, FindAccount, SaveAccount, SaveContact


async def test_g1_a_new_account_gets_its_number_and_says_so(crm):
    asked = SaveAccount(name=" Acme\tGmbH ", domains=("@Acme.com.", "www.acme.de"), workspaces=("Production",))
    [(said, answer)] = await crm.run(crm.wiring.answers[SaveAccount], [asked])
    assert [type(event) for event in said] == [AccountSaved]
    assert said[0].number == 1
    assert (answer["number"], answer["name"], answer["stage"]) == ("ACC-1", "Acme GmbH", "prospect")
    assert answer["domains"] == ["acme.com", "www.acme.de"]
    assert [workspace["name"] for workspace in answer["workspaces"]] == ["Production"]


async def test_the_same_name_is_the_same_account(crm):
    asked = [SaveAccount(name=name) for name in ("Acme GmbH", "ACME  gmbh", "Ａｃｍｅ GmbH", "Acme AG")]
    answers = await crm.ask(*asked)
    assert [answer["number"] for answer in answers] == ["ACC-1", "ACC-1", "ACC-1", "ACC-2"]
    assert [answer["number"] for answer in await crm.ask(*asked)] == ["ACC-1", "ACC-1", "ACC-1", "ACC-2"]


async def test_only_what_is_given_changes(crm):
    await crm.ask(
        SaveAccount(name="Acme", domains=("acme.com",), tier="gold", priority="high", default_owner="anna"),
        SaveAccount(name="Acme", domains=("acme.de",), stage="customer", workspaces=("A", "B")),
    )
    [answer] = await crm.ask(SaveAccount(name="acme", default_owner="", workspaces=("b", "C")))
    assert (answer["tier"], answer["priority"], answer["stage"]) == ("gold", "high", "customer")
    assert answer["default_owner"] is None
    assert answer["domains"] == ["acme.com", "acme.de"]
    assert [workspace["name"] for workspace in answer["workspaces"]] == ["A", "B", "C"]


async def test_saving_what_is_so_already_says_and_writes_nothing(crm):
    asked = SaveAccount(name="Acme", domains=("acme.com",), workspaces=("A",), workspace_owners={"a": "anna"})
    await crm.ask(asked)
    [(said, answer)] = await crm.run(crm.wiring.answers[SaveAccount], [asked])
    assert (said, crm.written) == ([], 0)
    assert answer["workspaces"][0]["default_owner"] == "anna"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        pytest.param({"domains": ("gmail.com",)}, "free_mail_domain", id="G4: a free-mail domain"),
        pytest.param({"domains": ("acme.org", "GMX.net")}, "free_mail_domain", id="G4: one among good ones"),
        pytest.param({"domains": ("taken.example",)}, "domain_taken", id="a domain of another account"),
        pytest.param({"domains": ("co.uk",)}, "public_suffix", id="a domain of a whole country's companies"),
        pytest.param({"domains": ("com",)}, "invalid_domain", id="a top-level domain"),
        pytest.param({"domains": ("https://acme.com/",)}, "invalid_domain", id="an address of the web"),
        pytest.param({"domains": ("anna@acme.com",)}, "invalid_domain", id="a whole mail address"),
        pytest.param({"domains": ("ac me.com",)}, "invalid_domain", id="a blank"),
        pytest.param({"domains": ("_x.acme.com",)}, "invalid_domain", id="an underline"),
        pytest.param({"domains": ("-acme.com",)}, "invalid_domain", id="a hyphen in front"),
        pytest.param({"domains": ("10.0.0.1",)}, "invalid_domain", id="an IP address"),
        pytest.param({"domains": ("",)}, "invalid_domain", id="nothing"),
        pytest.param({"domains": ("acme..com",)}, "invalid_domain", id="an empty label"),
        pytest.param({"domains": ("x" * 300 + ".com",)}, "invalid_domain", id="huge: a label of 300 letters"),
        pytest.param({"domains": ("a." * 5000 + "com",)}, "invalid_domain", id="huge: 5,000 labels"),
        pytest.param({"domains": ("acme.com\0",)}, "invalid_domain", id="hostile: NUL"),
        pytest.param({"domains": ("\u202eacme.com",)}, "invalid_domain", id="hostile: turned text"),
        pytest.param({"name": "\u200b"}, "invalid_name", id="a name of nothing visible"),
        pytest.param({"workspaces": (" ",)}, "invalid_name", id="a workspace without a name"),
        pytest.param({"default_owner": "Anna Schmidt"}, "invalid_owner", id="an owner who is no handle"),
        pytest.param({"workspace_owners": {"A": "=cmd"}, "workspaces": ("A",)}, "invalid_owner", id="nor a formula"),
        pytest.param({"workspace_owners": {"Prod": "anna"}}, "unknown_workspace", id="the owner of no workspace"),
    ],
)
async def test_what_an_account_may_not_be(crm, asked, code):
    await crm.ask(SaveAccount(name="Other", domains=("taken.example",)))
    [refusal] = await crm.ask(SaveAccount(**{"name": "Acme"} | asked))
    assert isinstance(refusal, Refused)
    assert refusal.code == code
    assert "\0" not in refusal.sentence
    assert await crm.pool.fetchval("SELECT count(*) FROM accounts") == 1


async def test_within_a_batch_a_domain_goes_to_the_first_who_may_have_it(crm):
    answers = await crm.ask(
        SaveAccount(name="Refused", domains=("acme.com", "gmail.com")),
        SaveAccount(name="Refused too", domains=("acme.com",), default_owner="Anna S."),
        SaveAccount(name="First", domains=("acme.com",)),
        SaveAccount(name="Second", domains=("acme.com",)),
    )
    assert [answers[0].code, answers[1].code, answers[2]["domains"], answers[3].code] == [
        "free_mail_domain", "invalid_owner", ["acme.com"], "domain_taken",
    ]  # fmt: skip
    assert answers[3].details["account"] == "First"


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two"])
async def test_a_domain_moves(crm, together):
    await crm.ask(SaveAccount(name="Old", domains=("acme.com", "old.example")))
    asked = (
        SaveAccount(name="Old", remove_domains=("Acme.com", "absent.example")),
        SaveAccount(name="New", domains=("acme.com",)),
    )
    answers = await crm.ask(*asked) if together else [answer for one in asked for answer in await crm.ask(one)]
    assert [answer["domains"] for answer in answers] == [["old.example"], ["acme.com"]]
    assert (await crm.find(FindAccount(domain="acme.com")))["name"] == "New"


async def test_a_subdomain_may_belong_to_another_account(crm):
    await crm.ask(SaveAccount(name="Acme", domains=("acme.com",)), SaveAccount(name="Labs", domains=("labs.acme.com",)))
    assert (await crm.find(FindAccount(domain="x.labs.acme.com")))["name"] == "Labs"
    assert (await crm.find(FindAccount(domain="mail.acme.com")))["name"] == "Acme"


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"number": "ACC-1"}, id="by number"),
        pytest.param({"number": "acc-1 "}, id="in any case"),
        pytest.param({"number": "1"}, id="by the bare number"),
        pytest.param({"name": "ACME"}, id="by name"),
        pytest.param({"domain": "@Acme.com"}, id="by domain"),
    ],
)
async def test_an_account_is_found(crm, query):
    [saved] = await crm.ask(SaveAccount(name="Acme", domains=("acme.com",)))
    assert await crm.find(FindAccount(**query)) == saved


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"number": "2"},
        {"number": "ACC-"},
        {"number": "9" * 19},
        {"number": "١"},
        {"name": ""},
        {"name": "\0"},
        {"domain": "com"},
        {"domain": "acme.com\0"},
    ],
)
async def test_an_account_that_is_not_there(crm, query):
    await crm.ask(SaveAccount(name="Acme", domains=("acme.com",)))
    with pytest.raises(Refused, match="unknown_account"):
        await crm.find(FindAccount(**query))


async def test_p2_a_replica_that_takes_a_name_or_domain_meanwhile_is_noticed(crm):
    handler = crm.wiring.answers[SaveAccount]
    async with crm.pool.acquire() as one, one.transaction():
        await crm.fold(one, handler, [crm.heard(SaveAccount(name="Acme", domains=("acme.com",)))])
        async with crm.pool.acquire() as other:
            wishes = await handler.resolve(other, [crm.heard(SaveAccount(name="acme"))], crm.now)
            loaded = await handler.aggregate.load(other, [str(wishes[0].account_id)])
    [said] = handler.aggregate.decide(loaded[str(wishes[0].account_id)], wishes[0], crm.now)
    late = handler.aggregate.evolve(loaded[str(wishes[0].account_id)], said)
    with pytest.raises(UniqueViolationError):
        await handler.aggregate.save(crm.pool, [late])


async def test_contacts_hang_on_the_saved_account(crm):
    [acme] = await crm.ask(SaveAccount(name="Acme", workspaces=("A",)))
    [contact] = await crm.ask(SaveContact(email="a@x.org", account="Acme", workspace="A"))
    assert (contact["given_account_id"], contact["workspace_id"]) == (acme["id"], acme["workspaces"][0]["id"])

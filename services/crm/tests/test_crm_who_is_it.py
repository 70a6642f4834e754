import pytest

from deskstream.contracts.crm import SaveAccount, SaveContact
from deskstream.contracts.inbound import Automatic

ACME = SaveAccount(
    name="Acme",
    domains=("acme.com", "bücher.example"),
    stage="customer",
    tier="gold",
    priority="high",
    default_owner="anna",
    workspaces=("Production", "Staging"),
    workspace_owners={"Staging": "bruno"},
)
LABS = SaveAccount(name="Acme Labs", domains=("labs.acme.com",))
BOUNCE = Automatic(kind="bounce", reason="null return path")
AWAY = Automatic(kind="auto_reply", reason="Auto-Submitted: auto-replied")


@pytest.mark.parametrize(
    ("sender", "account", "workspace"),
    [
        pytest.param({"email": "zoe@acme.com"}, "Acme", "Production", id="G4: the mail domain finds the account"),
        pytest.param({"email": "Zoe@ACME.COM"}, "Acme", "Production", id="G4: in whatever case it is written"),
        pytest.param({"email": "zoe@mail.eu.acme.com"}, "Acme", "Production", id="G4: a subdomain finds it too"),
        pytest.param({"email": "zoe@labs.acme.com"}, "Acme Labs", None, id="G4: the longest registered domain wins"),
        pytest.param({"email": "zoe@x.labs.acme.com"}, "Acme Labs", None, id="G4: also for what lies below it"),
        pytest.param({"email": "zoe@bücher.example"}, "Acme", "Production", id="G4: a domain of other letters"),
        pytest.param({"email": "z@xn--bcher-kva.example"}, "Acme", "Production", id="G4: and as DNS writes it"),
        pytest.param({"email": "zoe@notacme.com"}, None, None, id="G4: a domain that only ends alike is a stranger's"),
        pytest.param({"email": "zoe@acme.com.evil.example"}, None, None, id="G4: one that only begins alike too"),
        pytest.param({"email": "zoe@gmail.com"}, None, None, id="G4: free mail finds no account"),
        pytest.param({"email": "zoe@[10.0.0.1]"}, None, None, id="G4: an address literal finds none"),
        pytest.param({"email": "zoe@com"}, None, None, id="G4: a top-level domain finds none"),
        pytest.param(
            {"external_id": "U1", "email": "zoe@acme.com", "channel": "slack"}, "Acme", "Production",
            id="G4: Slack knows the address itself",
        ),
        pytest.param(
            {"external_id": "U1", "email": "zoe@acme.com", "channel": "forms"}, None, None,
            id="G4: an address that anybody can type beside an id proves no company",
        ),
        pytest.param({"phone": "+49 171 1234567", "channel": "whatsapp"}, None, None, id="a number has no account"),
    ],
)  # fmt: skip
async def test_the_account_of_a_stranger(crm, letter, sender, account, workspace):
    await crm.ask(ACME, LABS)
    [[said]] = await crm.hear(letter(**sender))
    assert said.new_contact
    assert (said.account and said.account.name, said.workspace and said.workspace.name) == (account, workspace)


async def test_n3_a_message_that_a_colleague_copied_us_in_on_is_the_customers(crm, letter):
    await crm.ask(ACME)
    about_zoe = {"requester": {"email": "zoe@acme.com", "name": "Zoe"}}
    [[said]] = await crm.hear(letter(email="eva@ours.example", name="Eva", **about_zoe))
    assert (said.contact.name, said.contact.email, said.account.name) == ("Zoe", "zoe@acme.com", "Acme")
    answer = letter(email="eva@ours.example", name="Eva", **about_zoe).model_copy(update={"new_thread": False})
    [[in_thread]] = await crm.hear(answer)
    assert (in_thread.contact.name, in_thread.account) == ("Eva", None)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        pytest.param({"email": "a@x.org"}, {"email": "A@X.org"}, True, id="G4: an address in another case"),
        pytest.param({"email": "a@x.org"}, {"email": "a@x.org", "name": "A"}, True, id="G4: another display name"),
        pytest.param({"email": "a@x.org"}, {"email": "b@x.org"}, False, id="G4: another address"),
        pytest.param({"email": "a+b@x.org"}, {"email": "a@x.org"}, False, id="G4: a tag may be another mailbox"),
        pytest.param({"email": "a@x.org"}, {"email": "\u0430@x.org"}, False, id="a letter that only looks alike"),
        pytest.param({"email": "a@x.org"}, {"email": "a\u200b@x.org"}, False, id="an invisible letter counts"),
        pytest.param({"email": "a\0@x.org"}, {"email": "a@x.org"}, False, id="a NUL makes another, and breaks nothing"),
        pytest.param(
            {"phone": "+49 (0)171 1234567", "channel": "whatsapp"}, {"phone": "0049 171-1234567", "channel": "sms"},
            False, id="without a region 00 is no country code",
        ),
        pytest.param(
            {"phone": "+49 171 1234567", "channel": "whatsapp"}, {"phone": "+491711234567", "channel": "sms"}, True,
            id="G4: a number is a number on any channel",
        ),
        pytest.param(
            {"external_id": "7", "channel": "slack"}, {"external_id": "7", "channel": "discord"}, False,
            id="G4: an id counts on its own channel only",
        ),
        pytest.param(
            {"external_id": "a", "channel": "slack"}, {"external_id": "A", "channel": "slack"}, False,
            id="ids are compared letter by letter",
        ),
        pytest.param(
            {"external_id": "a@x.org", "channel": "mailto"}, {"email": "a@x.org"}, False,
            id="no channel's name makes its ids mail addresses",
        ),
        pytest.param(
            {"email": "a@x.org"}, {"external_id": "U1", "email": "a@x.org", "channel": "slack"}, True,
            id="G4: a channel that vouches for the address",
        ),
        pytest.param(
            {"external_id": "U1", "email": "a@x.org", "channel": "slack"}, {"email": "a@x.org"}, True,
            id="G4: and the other way round",
        ),
        pytest.param(
            {"email": "a@x.org"}, {"external_id": "U1", "email": "a@x.org", "channel": "forms"}, False,
            id="P13: who types another's address is not that person",
        ),
        pytest.param(
            {"email": "me@x.org", "phone": "+491711234567", "channel": "forms"},
            {"phone": "+491711234567", "channel": "whatsapp"}, False,
            id="P13: who types another's number does not get their messages",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two"])
async def test_who_is_the_same(crm, letter, first, second, same, together):
    letters = letter(**first), letter(**second)
    if together:
        said = [one for [one] in await crm.hear(*letters)]
    else:
        said = [one for batch in [await crm.hear(one) for one in letters] for [one] in batch]
    assert (said[0].contact.id == said[1].contact.id) is same
    assert [one.new_contact for one in said] == [True, not same]


@pytest.mark.parametrize(
    ("first", "then", "shown"),
    [
        pytest.param("Anna", "Anna Schmidt", "Anna", id="the name of the first message stays"),
        pytest.param(None, "Anna", "Anna", id="an empty one is filled by the first that comes"),
        pytest.param(None, None, "a@x.org", id="without any the address is shown"),
        pytest.param("A@x.org", "Anna", "Anna", id="the address repeated as a name is none"),
        pytest.param(" \u202eannA\r\n ", None, "annA", id="hostile: no turned text, no line breaks"),
        pytest.param("\u200b\0\x07", "Anna", "Anna", id="hostile: a name of nothing visible is none"),
        pytest.param("x" * 998, None, "x" * 200, id="huge: cut"),
    ],
)
@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two"])
async def test_the_name_of_a_contact(crm, letter, first, then, shown, together):
    letters = letter("a@x.org", first), letter("a@x.org", then), letter("a@x.org", "Somebody Else")
    if together:
        said = [one for [one] in await crm.hear(*letters)]
    else:
        said = [one for batch in [await crm.hear(one) for one in letters] for [one] in batch]
    assert said[1].contact.name == shown
    assert said[2].contact.name == (shown if shown != "a@x.org" else "Somebody Else")
    assert [one.named for one in said].count(True) == 1


async def test_an_explicit_name_wins(crm, letter):
    [[first]] = await crm.hear(letter("anna@acme.com", "anna s."))
    await crm.ask(SaveContact(email="anna@acme.com", name="Anna Schmidt"))
    [[then]] = await crm.hear(letter("anna@acme.com", "anna s."))
    assert (then.contact.id, then.contact.name) == (first.contact.id, "Anna Schmidt")


async def test_g1_r2_the_event_carries_what_readers_need(crm, letter):
    [acme] = await crm.ask(ACME)
    [[said]] = await crm.hear(letter("zoe@acme.com", "Zoe"))
    assert said.account.model_dump(mode="json") == {
        "id": acme["id"], "name": "Acme", "stage": "customer", "tier": "gold", "priority": "high",
        "default_owner": "anna",
    }  # fmt: skip
    assert said.workspace.name == "Production"
    assert said.workspace.default_owner is None


@pytest.mark.parametrize(
    ("saved", "workspace", "owner"),
    [
        pytest.param({}, "Production", None, id="G3: the account's first workspace is the default"),
        pytest.param({"workspace": "staging"}, "Staging", "bruno", id="G1 G3: the contact's own comes first"),
    ],
)
async def test_the_workspace(crm, letter, saved, workspace, owner):
    await crm.ask(ACME)
    await crm.ask(SaveContact(email="zoe@acme.com", **saved))
    [[said]] = await crm.hear(letter("zoe@acme.com"))
    assert (said.workspace.name, said.workspace.default_owner) == (workspace, owner)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(
            {"email": "zoe@acme.com"}, {"email": "zoe@acme.com"},
            id="a domain saved later finds the contacts that were there",
        ),
        pytest.param(
            {"external_id": "U1", "email": "zoe@acme.com", "channel": "slack"},
            {"external_id": "U1", "channel": "slack"},
            id="also when the address does not come again",
        ),
        pytest.param(
            {"external_id": "U1", "channel": "slack"},
            {"external_id": "U1", "email": "zoe@acme.com", "channel": "slack"},
            id="also when the address comes only later",
        ),
    ],
)  # fmt: skip
async def test_saving_a_domain_attaches_contacts_without_an_account(crm, letter, first, then):
    [[before]] = await crm.hear(letter(**first))
    assert before.account is None
    await crm.ask(ACME)
    [[after]] = await crm.hear(letter(**then))
    assert after.contact.id == before.contact.id
    assert after.account.name == "Acme"


async def test_an_account_that_was_given_stays_whatever_the_domain_says(crm, letter):
    await crm.ask(ACME, SaveAccount(name="Agency"))
    await crm.ask(SaveContact(email="zoe@acme.com", account="agency"))
    [[said]] = await crm.hear(letter("zoe@acme.com"))
    assert said.account.name == "Agency"


@pytest.mark.parametrize(
    ("message", "recorded", "account"),
    [
        pytest.param({"email": "mailer-daemon@acme.com", "automatic": BOUNCE}, False, None, id="a bounce"),
        pytest.param({"email": "MAILER-DAEMON@acme.com"}, False, None, id="a bounce that does not say so"),
        pytest.param({"email": "postmaster@acme.com", "automatic": BOUNCE}, False, None, id="a bounce by postmaster"),
        pytest.param({"email": "zoe@acme.com", "automatic": AWAY}, True, "Acme", id="an out-of-office: a person's"),
        pytest.param({"email": "postmaster@acme.com"}, True, "Acme", id="a postmaster who writes"),
    ],
)
async def test_c9_automatic_mail_is_identified_without_making_up_people(crm, letter, message, recorded, account):
    await crm.ask(ACME)
    said = [one for [one] in await crm.hear(letter(**message), letter(**message))]
    assert [one.new_contact for one in said] == [recorded, False]
    assert {one.account and one.account.name for one in said} == {account}
    assert await crm.pool.fetchval("SELECT count(*) FROM contacts") == int(recorded)
    assert len({one.contact.id for one in said}) == (1 if recorded else 2)


async def test_a_bounce_from_a_known_address_is_that_contacts(crm, letter):
    [[known]] = await crm.hear(letter("zoe@acme.com"))
    [[said]] = await crm.hear(letter("zoe@acme.com", automatic=BOUNCE))
    assert said.contact.id == known.contact.id


async def test_exactly_one_event_a_message_carrying_it_unchanged(crm, letter):
    messages = [letter(f"a{n % 3}@x.org", f"A {n}", thread=f"t{n % 5}", title="x", flags=("y",)) for n in range(20)]
    said = await crm.hear(*messages)
    assert [len(one) for one in said] == [1] * 20
    for [one], message in zip(said, messages, strict=True):
        assert one.message == message.message
        assert (one.thread_id, one.new_thread, one.key()) == (
            message.thread_id, message.new_thread, str(message.thread_id),
        )  # fmt: skip

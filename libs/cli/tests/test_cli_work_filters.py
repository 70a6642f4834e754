import pytest

from deskstream.cli.services import installed
from deskstream.contracts import ticket_commands as of_tickets
from deskstream.contracts.conversation import StartConversation
from deskstream.contracts.crm import SaveAccount
from deskstream.contracts.facts import AccountFacts
from deskstream.contracts.linked import ConversationRef
from deskstream.runtime.launch import running
from deskstream.runtime.settings import RuntimeSettings
from deskstream.testkit.desk import prepare

NEEDED = ("crm", "conversation", "ticketing")


@pytest.fixture
async def three(database, nats_url, monkeypatch):
    """A bug of Acme's and a wish, both from CONV-1, and a question from nowhere."""
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET", "a secret for this test")
    services = installed()
    await prepare(services, database, nats_url)
    settings = RuntimeSettings(nats_url=nats_url, postgres_url=database)
    async with running([one for one in services if one.name in NEEDED], settings) as started:

        async def ask(command):
            answer = await started[command.SERVICE].call(command, actor="anna")
            assert answer.ok, answer.error
            return answer.result

        account = await ask(SaveAccount(name="Acme"))
        begun = StartConversation(contact={"email": "ada@acme.example"}, title="Hello", text="How is it?")
        shown = (await ask(begun))["conversation"]
        both = {"conversation": ConversationRef(id=shown["id"], number=shown["number"])}
        facts = AccountFacts(id=account["id"], name="Acme")
        await ask(of_tickets.OpenTicket(title="Crash", type="bug", account=facts, **both))
        await ask(of_tickets.OpenTicket(title="Dark mode", type="feature_request", **both))
        await ask(of_tickets.OpenTicket(title="How?"))
        yield account["number"]


@pytest.mark.slow
async def test_tickets_are_found_by_type_account_and_conversation(deskstream, three):
    async def titles(*filters):
        said = await deskstream("tickets", "--json", *filters)
        assert said.code == 0, said
        return [ticket["title"] for ticket in said.json["tickets"]]

    assert await titles() == ["How?", "Dark mode", "Crash"]
    assert await titles("--limit", 2) == ["How?", "Dark mode"]
    assert await titles("--type", "bug") == ["Crash"]
    assert await titles("--account", three) == await titles("--account", "Acme") == ["Crash"]
    assert await titles("--conversation", "conv-1") == ["Dark mode", "Crash"]
    assert await titles("--conversation", "CONV-1", "--type", "feature_request") == ["Dark mode"]
    for wrong in (("--account", "Nobody"), ("--account", "ACC-999"), ("--conversation", "CONV-999")):
        said = await deskstream("tickets", *wrong)
        assert (said.code, said.out, said.err.count("\n")) == (1, "", 1), (wrong, said)
        assert "There is no" in said.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(("--type", "x"), "it is one of bug, question", id="a type that is none"),
        pytest.param(("--conversation", "TKT-1"), "names no conversation", id="a ticket for a conversation"),
        pytest.param(("--limit", "0"), "--limit", id="no rows"),
    ],
)
async def test_a_wrong_filter_is_misuse_and_told_in_a_sentence(deskstream, arguments, told):
    said = await deskstream("tickets", *arguments)
    assert (said.code, told in said.err, said.out) == (2, True, "")


@pytest.mark.parametrize("name", ["", " ", "\t"])
@pytest.mark.parametrize(
    ("command", "option"),
    [
        *(("tickets", option) for option in ("part", "account", "conversation", "issue", "agent")),
        *(("issues", option) for option in ("part", "account", "agent")),
    ],
)
def test_a_blank_is_no_filter_and_does_not_list_everything(nowhere, command, option, name):
    said = nowhere.now(command, {"agent": "--owner"}.get(option, f"--{option}"), name)
    assert (said.code, f"names no {option}" in said.err, said.out) == (2, True, "")


@pytest.mark.parametrize("command", ["tickets", "issues"])
@pytest.mark.parametrize(
    "owner",
    [
        pytest.param("a" * 65, id="longer than any handle"),
        pytest.param("Anna", id="a capital"),
        pytest.param("anna\x1b[31m" * 999, id="a terminal's orders"),
    ],
)
def test_an_owner_that_can_be_none_is_misuse_and_told_in_a_sentence(nowhere, command, owner):
    said = nowhere.now(command, "--owner", owner)
    assert (said.code, "names no agent" in said.err, said.out) == (2, True, "")
    assert (len(said.err) < 300, "Traceback" in said.err, "\x1b[31m" in said.err) == (True, False, False)


def test_nobody_s_issues_are_asked_for_by_name(nowhere):
    said = nowhere.now("issues", "--owner", "")
    assert (said.code, "--unowned lists what nobody owns" in said.err) == (2, True)

import pytest

from deskstream.cli.services import installed
from deskstream.contracts import ticket_commands as of_tickets
from deskstream.contracts.crm import SaveAccount
from deskstream.contracts.facts import AccountFacts
from deskstream.contracts.issues import FileIssue, FindIssue
from deskstream.runtime.launch import running
from deskstream.runtime.settings import RuntimeSettings
from deskstream.testkit.desk import prepare
from deskstream.testkit.eventually import eventually


@pytest.fixture
async def three(database, nats_url):
    """Acme's overflow, confidential and nobody's; carla's blocker; and a low one of which nobody knows more."""
    services = installed()
    await prepare(services, database, nats_url)
    settings = RuntimeSettings(nats_url=nats_url, postgres_url=database)
    async with running([one for one in services if one.name in ("crm", "ticketing")], settings) as started:

        async def ask(command):
            answer = await started[command.SERVICE].call(command, actor="anna")
            assert answer.ok, answer.error
            return answer.result

        account = await ask(SaveAccount(name="Acme"))
        await ask(SaveAccount(name="Quiet"))
        facts = AccountFacts(id=account["id"], name="Acme")
        ticket = (await ask(of_tickets.OpenTicket(title="Crash", account=facts)))["ticket"]
        filed = FileIssue(title="Overflow", severity="high", security="yes", tickets=[ticket["id"]])
        issue = (await ask(filed))["issue"]
        await ask(FileIssue(title="Outage", severity="blocker", security="no", owner="carla"))
        await ask(FileIssue(title="Typo", severity="low", security="unsure"))

        async def linked():
            found = await ask(FindIssue(issue_id=issue["id"]))
            assert found["issue"]["weight"]["tickets"] == 1
            return found

        await eventually(linked)
        yield account["number"]


@pytest.mark.slow
async def test_issues_are_found_by_severity_security_account_and_owner(deskstream, three):
    async def titles(*filters):
        said = await deskstream("issues", "--json", *filters)
        assert said.code == 0, said
        return [issue["title"] for issue in said.json["issues"]]

    assert await titles() == ["Typo", "Outage", "Overflow"]
    assert await titles("--severity", "blocker") == ["Outage"]
    assert await titles("--severity", "medium") == []
    for security, title in (("yes", "Overflow"), ("no", "Outage"), ("unsure", "Typo")):
        assert await titles("--security", security) == [title]
    assert await titles("--account", three) == await titles("--account", "Acme") == ["Overflow"]
    assert await titles("--account", "Quiet") == []
    assert await titles("--owner", "carla") == ["Outage"]
    assert await titles("--unowned") == ["Typo", "Overflow"]
    assert await titles("--unowned", "--severity", "low") == ["Typo"]
    assert await titles("--account", "Acme", "--part", "PART-1", "--unowned") == ["Overflow"]
    for wrong in (("--account", "Nobody"), ("--account", "ACC-999"), ("--part", "PART-999")):
        said = await deskstream("issues", *wrong)
        assert (said.code, said.out, said.err.count("\n")) == (1, "", 1), (wrong, said)
        assert "There is no" in said.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(("--severity", "HIGH"), "it is one of blocker, high, medium, low", id="a severity in capitals"),
        pytest.param(("--security", ""), "it is one of no, unsure, yes", id="no word of security"),
        pytest.param(("--account", " "), "names no account", id="an account without a name"),
        pytest.param(("--part", ""), "names no part", id="a part without a name"),
        pytest.param(("--unowned", "--owner", "anna"), "not for both", id="somebody's and nobody's"),
        pytest.param(("--unowned", "--owner", ""), "not for both", id="an empty owner's and nobody's"),
    ],
)
def test_a_wrong_filter_of_issues_is_misuse_and_told_in_a_sentence(nowhere, arguments, told):
    said = nowhere.now("issues", *arguments)
    assert (said.code, told in said.err, said.out) == (2, True, "")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x" * 201, "TKT-1\x1b[31m" * 999])
async def test_a_name_longer_than_any_account_has_is_misuse(deskstream, name):
    said = await deskstream("issues", "--account", name)
    assert (said.code, "names no account" in said.err, said.out) == (2, True, "")
    assert len(said.err) < 400

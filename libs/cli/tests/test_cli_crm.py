import pytest

from deskstream.cli.services import installed
from deskstream.runtime.launch import running
from deskstream.runtime.settings import RuntimeSettings
from deskstream.testkit.desk import prepare

FILE = """account;domains;tier;email;name
Acme;acme.example;premium;ada@acme.example;Ada
Globex;globex.example;;ben@globex.example;Ben
"""


@pytest.fixture
async def crm(database, nats_url):
    services = installed()
    await prepare(services, database, nats_url)
    settings = RuntimeSettings(nats_url=nats_url, postgres_url=database)
    async with running([service for service in services if service.name == "crm"], settings) as started:
        yield started["crm"]


@pytest.fixture
def csv(tmp_path):
    def write(content):
        path = tmp_path / "accounts.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


async def counted(crm):
    return await crm.pool.fetchrow(
        "SELECT (SELECT count(*) FROM accounts) AS accounts, (SELECT count(*) FROM contacts) AS contacts"
    )


async def test_accounts_come_before_the_contacts_that_name_them(deskstream, crm, csv):
    said = await deskstream("crm", "import", csv(FILE), "--json")
    assert (said.code, said.json) == (0, {"accounts": 2, "contacts": 2, "rejected": []})
    assert tuple(await counted(crm)) == (2, 2)
    again = await deskstream("crm", "import", csv(FILE))
    assert again.out.strip() == "2 accounts and 2 contacts imported."
    assert tuple(await counted(crm)) == (2, 2)


async def test_what_is_wrong_is_left_out_with_its_line_and_reason(deskstream, crm, csv):
    rows = "Free;gmail.com;;;\nTaken;acme.example;;;\n;;;not an address;X\nGood;good.example;;;\n"
    said = await deskstream("crm", "import", csv(FILE + rows))
    assert said.code == 1
    assert said.out.startswith("3 accounts and 2 contacts imported.")
    rejected = (await deskstream("crm", "import", csv(FILE + rows), "--json")).json["rejected"]
    assert {row["line"] for row in rejected} == {4, 5, 6}
    assert all(row["reason"] for row in rejected)


async def test_what_the_crm_refuses_is_told_by_line(deskstream, crm, csv):
    await deskstream("crm", "import", csv("account,domains\nAcme,acme.example\n"))
    said = await deskstream("crm", "import", csv("account,domains\nOther,acme.example\nMine,mine.example\n"), "--json")
    assert said.code == 1
    assert said.json["accounts"] == 1
    assert [row["line"] for row in said.json["rejected"]] == [2]


async def test_hundreds_of_rows(deskstream, crm, csv):
    rows = "".join(f"Organisation {n},org{n}.example,person{n}@org{n}.example\n" for n in range(300))
    said = await deskstream("crm", "import", csv("account,domains,email\n" + rows), "--json")
    assert said.json == {"accounts": 300, "contacts": 300, "rejected": []}


def test_a_dry_run_asks_nobody(nowhere, csv):
    said = nowhere.now("crm", "import", csv(FILE), "--dry-run")
    assert said.code == 0
    assert said.out.strip() == "2 accounts and 2 contacts would be imported."
    piped = nowhere.now("crm", "import", "-", "--dry-run", "--json", stdin=FILE)
    assert piped.json == {"accounts": 2, "contacts": 2, "rejected": []}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param("", "empty", id="an empty file"),
        pytest.param("x,y\n1,2\n", "no header", id="no header"),
        pytest.param("account\n".encode("utf-16"), "UTF-16", id="another encoding"),
        pytest.param(bytes(range(256)) * 50, "", id="binary garbage"),
    ],
)
def test_files_that_cannot_be_read(nowhere, csv, content, told):
    said = nowhere.now("crm", "import", csv(content), "--dry-run")
    assert said.code == 2
    assert told in said.err
    assert "\x1b" not in said.err


@pytest.mark.parametrize("name", [pytest.param("none.csv", id="no such file"), pytest.param(".", id="a folder")])
def test_files_that_are_not_there(nowhere, name):
    said = nowhere.now("crm", "import", name)
    assert said.code == 2
    assert name in said.err


async def test_where_the_crm_does_not_run_the_sentence_says_so(deskstream, csv):
    said = await deskstream("crm", "import", csv(FILE))
    assert said.code == 1
    assert "The service crm does not answer" in said.err

"""P14, O7: `provision --permissions` writes what NATS and PostgreSQL need, keeps secrets, and shows none."""

import re
import stat
from dataclasses import replace

import asyncpg
import nats
import pytest

from deskstream.cli.doctor.finding import Level
from deskstream.cli.doctor.privileges import broker_privileges, compared, database_privileges
from deskstream.messaging.accounts import DESK
from deskstream.messaging.permissions import OPERATOR, Apart, of_service
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.runtime.privileges.credentials import Credentials
from deskstream.runtime.privileges.guard import Guard
from deskstream.runtime.reach import reach_of
from deskstream.runtime.schemas import installed_services
from deskstream.runtime.settings import RuntimeSettings
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.sample.services import COUNTING, SUMMING

USERS = {*installed_services(), OPERATOR}


def secrets_in(folder):
    return {path.name: path.read_text().strip() for path in folder.glob("credentials/*.[sp]*")}


def test_each_service_gets_a_seed_and_a_password_that_only_the_owner_reads(nowhere, tmp_path):
    said = nowhere.now("provision", "--permissions", "--out", tmp_path / "made")
    assert said.code == 0, said.err
    made = secrets_in(tmp_path / "made")
    assert set(made) == {f"{user}.{kind}" for user in USERS for kind in ("seed", "password")}
    assert len(set(made.values())) == len(made)
    for path in (tmp_path / "made" / "credentials").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (tmp_path / "made" / ".gitignore").read_text() == "*\n"


def test_nothing_secret_is_shown_or_written_into_a_configuration(nowhere, tmp_path):
    said = nowhere.now("provision", "--permissions", "--out", tmp_path / "made", "--host", "nats")
    shown = [said.out, said.err, nowhere.now("provision", "--permissions", "--out", tmp_path / "made", "--json").out]
    shown += [path.read_text() for path in (tmp_path / "made").glob("*/*.conf")]
    shown.append((tmp_path / "made" / "postgres" / "roles.sql").read_text())
    for secret in secrets_in(tmp_path / "made").values():
        assert not [text for text in shown if secret in text]


def test_repeated_it_keeps_every_secret_and_changes_nothing(nowhere, tmp_path):
    command = ("provision", "--permissions", "--out", tmp_path / "made", "--host", "nats.example.org", "--json")
    first = nowhere.now(*command).json
    before = {path: path.read_bytes() for path in (tmp_path / "made").glob("*/*")}
    again = nowhere.now(*command).json
    assert first["made"]
    assert (again["made"], again["written"], again["unused"]) == ([], [], [])
    assert {path: path.read_bytes() for path in (tmp_path / "made").glob("*/*")} == before


def test_an_adapter_in_another_language_gets_a_seed_and_no_role(nowhere, tmp_path):
    nowhere.environment["DESKSTREAM_EXTRA_CHANNELS"] = "pager"
    nowhere.now("provision", "--permissions", "--out", tmp_path)
    assert (tmp_path / "credentials" / "channel_pager.seed").exists()
    assert not (tmp_path / "credentials" / "channel_pager.password").exists()
    assert '"inbound.pager.>"' in (tmp_path / "nats" / "nats.conf").read_text()
    del nowhere.environment["DESKSTREAM_EXTRA_CHANNELS"]
    later = nowhere.now("provision", "--permissions", "--out", tmp_path, "--json").json
    assert later["unused"] == ["credentials/channel_pager.seed"]
    assert "pager" not in (tmp_path / "nats" / "nats.conf").read_text()


def test_checking_changes_nothing_and_tells_what_differs(nowhere, tmp_path):
    check = ("provision", "--permissions", "--check", "--out", tmp_path / "made")
    assert nowhere.now(*check).code == 1
    assert not (tmp_path / "made").exists()
    nowhere.now("provision", "--permissions", "--out", tmp_path / "made")
    assert nowhere.now(*check).code == 0
    configuration = tmp_path / "made" / "nats" / "nats.conf"
    configuration.write_text(configuration.read_text().replace('"events.sla.>"', '"events.>"'))
    told = nowhere.now(*check, "--json")
    assert (told.code, told.json["differing"]) == (1, ["nats/nats.conf"])


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        pytest.param(("--host", "na ts"), 2, "is no name of a host", id="a host with a blank"),
        pytest.param(("--host", "-"), 2, "is no name of a host", id="a host that is a dash"),
        pytest.param(("--at", "etc/nats"), 2, "must be a whole path", id="a path from nowhere"),
        pytest.param(("--out", "/dev/null/made"), 1, "cannot be written", id="a folder that cannot be"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(nowhere, arguments, code, sentence):
    said = nowhere.now("provision", "--permissions", *arguments)
    assert said.code == code
    assert sentence in said.err


@pytest.mark.parametrize("content", ["", "SUNOTASEED", "SU" + "A" * 56, "\x00\xff" * 30])
def test_a_damaged_seed_is_named_and_not_shown(nowhere, tmp_path, content):
    nowhere.now("provision", "--permissions", "--out", tmp_path)
    (tmp_path / "credentials" / "crm.seed").write_text(content)
    said = nowhere.now("provision", "--permissions", "--out", tmp_path)
    assert said.code == 1
    assert "crm.seed holds no seed" in said.err
    assert not content.strip("\x00\xff") or content not in said.err


def test_o5_what_a_user_lacks_and_has_too_much_is_told():
    sla = of_service(installed_services()["sla"])
    allowed = {
        "publish": {"allow": [*sla.publish, "events.>"]},
        "subscribe": {"allow": [*sla.subscribe]},
        "responses": {"max": 1},
    }
    told = compared(sla, allowed)
    assert told is not None
    assert told.sentence == "sla may publish events.>, which it does not declare."
    less = [subject for subject in sla.publish if subject != "events.sla.>"]
    told = compared(sla, allowed | {"publish": {"allow": less}})
    assert told is not None
    assert told.sentence == "sla may not publish events.sla.>."
    assert "deskstream provision --permissions" in told.mend


async def test_o5_permissions_of_an_older_release_are_found_at_the_broker(database, nats_url):
    async with desk([COUNTING], database, nats_url):
        settings = RuntimeSettings(nats_url=nats_url, postgres_url=database)
        client = await nats.connect(nats_url, nkeys_seed_str=reach_of(settings).seed)
        assert [one.level for one in await broker_privileges(client, settings, [COUNTING])] == [Level.FINE]
        found = await broker_privileges(client, settings, [COUNTING, SUMMING])
        await client.close()
    assert [one.level for one in found] == [Level.WRONG]
    assert "summing" in found[0].sentence


@pytest.mark.parametrize(
    ("accounts", "walled", "told"),
    [
        pytest.param("everybody", set(), [], id="everybody has one"),
        pytest.param("adapters", set(), [], id="adapters have one"),
        pytest.param("adapters", {"channel_email"}, ["channel_email"], id="an adapter has none"),
    ],
)
async def test_p14_an_adapter_without_an_account_of_its_own_is_found(tmp_path, accounts, walled, told):
    services = list(installed_services().values())
    access = Guard(tmp_path / "credentials", services, apart=Apart(accounts)).access()
    for name in walled:
        access["accounts"][DESK]["users"] += access["accounts"][name].pop("users")
    (tmp_path / "data").mkdir()
    server = EmbeddedNats(Home(tmp_path / "data", user=None), access=access)
    settings = RuntimeSettings(
        nats_url=server.start(),
        postgres_url="postgresql://nobody@127.0.0.1:1/none",
        credentials=tmp_path / "credentials",
    )
    try:
        client = await nats.connect(settings.nats_url, nkeys_seed_str=reach_of(settings).seed)
        found = await broker_privileges(client, settings, services)
        await client.close()
    finally:
        server.stop()
    wrong = [one.sentence for one in found if one.level is Level.WRONG]
    assert wrong == [f"{name} has no account of its own at NATS, and takes in what strangers write." for name in told]


@pytest.mark.parametrize(
    ("option", "apart"), [((), set(installed_services())), (("--accounts", "adapters"), {"channel_email"})]
)
def test_p14_who_has_an_account_is_as_asked(nowhere, tmp_path, option, apart):
    assert nowhere.now("provision", "--permissions", "--out", tmp_path / "made", *option).code == 0
    written = (tmp_path / "made/nats/nats.conf").read_text()
    accounts = set(re.findall(r"^    (\w+): \{$", written.partition("accounts: {")[2], re.MULTILINE))
    assert accounts == {DESK, *apart}
    again = nowhere.now("provision", "--permissions", "--out", tmp_path / "made", *option, "--check")
    assert again.code == 0, again.out


def test_p14_a_wrong_word_for_accounts_names_the_right_ones(nowhere, tmp_path):
    said = nowhere.now("provision", "--permissions", "--out", tmp_path / "made", "--accounts", "nobody")
    assert said.code == 2
    assert "'adapters', 'everybody'" in said.err


async def test_o5_a_container_that_has_the_operators_seed_only_is_no_fault(database, nats_url, tmp_path):
    async with desk([COUNTING], database, nats_url):
        settings = RuntimeSettings(nats_url=nats_url, postgres_url=database)
        assert settings.credentials is not None
        seed = Credentials(settings.credentials).seed_file(OPERATOR).read_text()
        Credentials(tmp_path).seed_file(OPERATOR).write_text(seed)
        client = await nats.connect(nats_url, nkeys_seed_str=seed.strip())
        found = await broker_privileges(client, settings.model_copy(update={"credentials": tmp_path}), [COUNTING])
        await client.close()
    assert [(one.level, one.sentence) for one in found] == [
        (Level.FINE, "operator may do what it should; the seeds of the others are not here.")
    ]


async def test_o5_roles_that_may_too_much_or_are_missing_are_told(database, nats_url):
    await prepare([COUNTING, SUMMING], database, nats_url)
    owner = await asyncpg.connect(database)
    assert [one.level for one in await database_privileges(owner, [COUNTING, SUMMING])] == [Level.FINE]
    await owner.execute("GRANT SELECT ON counting.journal TO deskstream_summing")
    [told] = await database_privileges(owner, [COUNTING, SUMMING])
    assert told.level is Level.WRONG
    assert told.sentence == 'deskstream_summing has SELECT on TABLE "counting"."journal".'
    assert "deskstream migrate" in told.mend
    [told] = await database_privileges(owner, [COUNTING, replace(SUMMING, name="unheard_of")])
    assert (told.level, told.sentence) == (
        Level.WARNING,
        "Not every service (unheard_of) has a role of its own in PostgreSQL.",
    )
    await owner.close()

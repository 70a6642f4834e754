"""P14: in a database with the generated roles, each service works in its own schema and nowhere else."""

from hashlib import sha256
from importlib.resources import files
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio

from deskstream.blobs import MIGRATIONS, Blobs
from deskstream.runtime.migrations import migrate
from deskstream.runtime.privileges.credentials import role_of
from deskstream.runtime.privileges.grants import differences, grants
from deskstream.runtime.privileges.roles import roles_sql, verifier
from deskstream.runtime.schemas import installed_services
from deskstream.testkit.identities import employ, password_of

SERVICES = sorted(installed_services())
EVERYTHING = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
WORK = {"SELECT", "INSERT", "UPDATE", "DELETE"}

HELD = """
SELECT n.nspname AS schema, c.relname AS relation, c.relkind::text AS kind, c.relispartition AS part,
       array(SELECT p FROM unnest($1::text[]) p WHERE has_table_privilege(c.oid, p)) AS held
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY($2::text[]) AND c.relkind IN ('r', 'p', 'v', 'm')
"""


def as_role(database, user):
    return with_password(database, user, password_of(database, user))


def with_password(database, user, password):
    parts = urlsplit(database)
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role_of(user)}:{quote(password)}@{address}"))


@pytest_asyncio.fixture
async def owner(database):
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def furnished(database, owner):
    """All services' tables and roles."""
    await employ(owner, database, SERVICES)
    return database


def expected(user, row):
    if row["schema"] == "blobs":
        return {"INSERT"} if row["relation"] == "blobs" else set()
    if row["schema"] != user or row["part"]:
        return set()
    if row["kind"] == "v" or row["relation"] == "migrations":
        return {"SELECT"}
    return WORK - {"UPDATE", "DELETE"} if row["relation"] in ("journal", "dropped") else WORK


async def test_p14_each_role_has_what_its_service_needs_on_every_table_and_nothing_else(furnished):
    tried = 0
    for user in SERVICES:
        connection = await asyncpg.connect(as_role(furnished, user))
        rows = await connection.fetch(HELD, EVERYTHING, [*SERVICES, "blobs"])
        await connection.close()
        wrong = {
            f"{row['schema']}.{row['relation']}": row["held"] for row in rows if set(row["held"]) != expected(user, row)
        }
        assert not wrong, user
        tried += len(rows) * len(EVERYTHING)
    assert tried > 5000


DENIED = [
    pytest.param("SELECT body FROM conversation.journal", id="reading another's journal"),
    pytest.param("SELECT * FROM gateway.inbox", id="reading another's table"),
    pytest.param("INSERT INTO conversation.unpublished VALUES (1, now())", id="writing into another's outbox"),
    pytest.param("DELETE FROM ingest.archive", id="deleting another's rows"),
    pytest.param("SELECT nextval('conversation.conversation_numbers')", id="using up another's numbers"),
    pytest.param("SELECT conversation.make_journal_partitions(1)", id="calling another's function"),
    pytest.param("UPDATE crm.journal SET body = ''", id="P19: changing what it said itself"),
    pytest.param("DELETE FROM crm.journal", id="P19: deleting what it said itself"),
    pytest.param("TRUNCATE crm.journal", id="P19: emptying its own journal"),
    pytest.param("DELETE FROM crm.journal_other", id="P19: deleting from a part of its own journal"),
    pytest.param("ALTER TABLE crm.journal DISABLE TRIGGER ALL", id="changing its own tables"),
    pytest.param("DROP TABLE crm.heads", id="dropping its own tables"),
    pytest.param("CREATE TABLE crm.more (id int)", id="making tables"),
    pytest.param("CREATE TABLE public.more (id int)", id="making tables for everybody"),
    pytest.param("CREATE TABLE blobs.more (id int)", id="making tables among the blobs"),
    pytest.param("CREATE SCHEMA more", id="making schemas"),
    pytest.param("CREATE FUNCTION crm.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", id="making functions"),
    pytest.param("CREATE ROLE more", id="making roles"),
    pytest.param("ALTER ROLE deskstream_sla PASSWORD 'mine'", id="changing another's password"),
    pytest.param("SET ROLE deskstream_conversation", id="becoming another service"),
    pytest.param("SELECT sha256, body FROM blobs.blobs", id="reading everybody's files"),
    pytest.param("SELECT sha256 FROM blobs.blobs", id="finding out which files there are"),
    pytest.param("DELETE FROM blobs.blobs", id="deleting files"),
    pytest.param("UPDATE blobs.blobs SET body = ''", id="changing files"),
    pytest.param("UPDATE crm.migrations SET sha256 = ''", id="changing the record of migrations"),
    pytest.param("SELECT rolpassword FROM pg_authid", id="reading passwords"),
    pytest.param("COPY crm.heads TO PROGRAM 'id'", id="running programs"),
    pytest.param("SELECT pg_read_file('/etc/passwd')", id="reading the server's files"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def as_crm(database_template):
    """One database for all attempts of one role, none of which changes anything."""
    async with database_template.clone() as database:
        connection = await asyncpg.connect(database)
        await employ(connection, database, SERVICES)
        await connection.close()
        connection = await asyncpg.connect(as_role(database, "crm"))
        yield connection
        await connection.close()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("statement", DENIED)
async def test_p14_a_taken_over_service_is_denied(as_crm, statement):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_crm.execute(statement)


async def test_p14_a_service_reads_files_it_can_name_and_adds_some(furnished):
    pool = await asyncpg.create_pool(as_role(furnished, "channel_email"), min_size=1, max_size=1)
    blobs = Blobs(pool)
    name = await blobs.put(b"a file", "text/plain")
    assert await blobs.put(b"a file", "text/plain") == name
    found = await blobs.get(name)
    assert found is not None
    assert found.body == b"a file"
    assert await blobs.get(sha256(b"unknown").hexdigest()) is None
    await pool.close()


async def test_a_service_gets_its_next_months_without_owning_the_journal(furnished):
    connection = await asyncpg.connect(as_role(furnished, "sla"), server_settings={"search_path": "sla"})
    await connection.execute("SELECT make_journal_partitions(5)")
    months = await connection.fetchval(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'journal'::regclass AND inhrelid::regclass::text ~ '20'"
    )
    assert months == 6
    await connection.close()


async def test_grants_mend_what_somebody_changed_and_find_nothing_afterwards(furnished, owner):
    assert await differences(owner, SERVICES) == []
    await owner.execute("GRANT SELECT ON conversation.journal TO deskstream_sla")
    await owner.execute("GRANT SELECT ON crm.accounts TO PUBLIC")
    await owner.execute("REVOKE INSERT ON ingest.archive FROM deskstream_ingest")
    await owner.execute("GRANT UPDATE ON routing.journal TO deskstream_routing")
    await owner.execute("CREATE TABLE sla.later (id int)")
    told = {str(found) for found in await differences(owner, SERVICES)}
    assert told == {
        'deskstream_sla has SELECT on TABLE "conversation"."journal"',
        'everybody has SELECT on TABLE "crm"."accounts"',
        'deskstream_ingest lacks INSERT on TABLE "ingest"."archive"',
        'deskstream_routing has UPDATE on TABLE "routing"."journal"',
        'deskstream_sla lacks DELETE, INSERT, SELECT, UPDATE on TABLE "sla"."later"',
    }
    assert {str(found) for found in await grants(owner, SERVICES)} == told
    assert await differences(owner, SERVICES) == []


async def test_what_postgresql_keeps_of_a_password_lets_in_who_knows_it(furnished, owner):
    await owner.execute("DROP ROLE IF EXISTS deskstream_trial")
    await owner.execute(f"CREATE ROLE deskstream_trial LOGIN PASSWORD '{verifier('deskstream_trial', 'a word')}'")
    address = urlsplit(furnished).netloc.rpartition("@")[2]
    path = urlsplit(furnished).path
    trial = await asyncpg.connect(f"postgresql://deskstream_trial:a%20word@{address}{path}?sslmode=disable")
    assert await trial.fetchval("SELECT current_user") == "deskstream_trial"
    await trial.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://deskstream_trial:another@{address}{path}?sslmode=disable")
    await owner.execute("DROP ROLE deskstream_trial")


async def test_p14_roles_made_by_the_file_own_the_desk_or_work_in_it(database_template):
    # As on a server of one's own: a superuser runs the file, the operator migrates, the service works.
    passwords = {"operator": "of the operator", "trial": "of the trial"}
    async with database_template.clone() as database:
        superuser = await asyncpg.connect(database)
        await superuser.execute(roles_sql(passwords))
        await superuser.execute("DROP SCHEMA blobs CASCADE")
        operator = await asyncpg.connect(with_password(database, "operator", passwords["operator"]))
        await migrate(operator, "blobs", (MIGRATIONS,))
        await migrate(operator, "trial", (files("deskstream.messaging") / "migrations",))
        assert await grants(operator, ["trial"])
        assert await differences(operator, ["trial"]) == []
        trial = await asyncpg.connect(with_password(database, "trial", passwords["trial"]))
        await trial.execute("SELECT * FROM trial.journal")
        for statement in ("CREATE TEMP TABLE t (id int)", "DELETE FROM trial.journal", "SELECT * FROM crm.journal"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await trial.execute(statement)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await operator.execute("CREATE ROLE more")
        for connection in (trial, operator, superuser):
            await connection.close()

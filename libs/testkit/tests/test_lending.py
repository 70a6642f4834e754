"""Databases that are lent to one test after the other: nobody can tell that somebody was there."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from deskstream.testkit.databases import drop, make_template
from deskstream.testkit.lending import lending

TABLES = """
CREATE TABLE goods (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    length int GENERATED ALWAYS AS (octet_length(name)) STORED
);
CREATE TABLE parts (id int PRIMARY KEY, goods int NOT NULL REFERENCES goods, file bytea);
CREATE TABLE sales (at timestamptz NOT NULL, goods int) PARTITION BY RANGE (at);
CREATE TABLE sales_2026 PARTITION OF sales FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE colours (
    id int GENERATED ALWAYS AS IDENTITY,
    name text PRIMARY KEY,
    shade numeric,
    mixed jsonb,
    seen timestamptz,
    twice numeric GENERATED ALWAYS AS (shade * 2) STORED
);
INSERT INTO colours (name, shade, mixed, seen)
VALUES ('red', 0.10, '{"of": [1, null]}', now()), ('it''s "blue"', NULL, NULL, '-infinity');
CREATE TABLE sizes (of int PRIMARY KEY);
CREATE SEQUENCE numbers START 100;
CREATE SEQUENCE used START 7;
SELECT nextval('used');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'stays'; END $$;
CREATE TRIGGER stays BEFORE DELETE OR TRUNCATE ON goods EXECUTE FUNCTION refuse();
-- It may come at any moment, and leave figures.
ALTER TABLE goods SET (autovacuum_enabled = false);
ALTER TABLE parts SET (autovacuum_enabled = false);
"""


@dataclass(frozen=True)
class Shop:
    migrations: Path
    name: str = "shop"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop") / "shop" / "migrations"
    folder.mkdir(parents=True)
    # Always the same text, so that the template is made once for all runs.
    (folder / "0001_shop.sql").write_text(TABLES)
    return Shop(folder)


@pytest.fixture(scope="module")
def databases(postgres_server, shop):
    with lending(asyncio.run(make_template(postgres_server, [shop]))) as databases:
        yield databases


@pytest.fixture
async def admin(postgres_server):
    connection = await asyncpg.connect(postgres_server)
    yield connection
    await connection.close()


async def do(url, *statements):
    connection = await asyncpg.connect(url, server_settings={"search_path": "shop"})
    try:
        for statement in statements:
            answer = await connection.fetch(statement)
        return answer
    finally:
        await connection.close()


LOOK = """
SELECT
    oid,
    (SELECT count(*) FROM goods) + (SELECT count(*) FROM parts) + (SELECT count(*) FROM sales) AS filled,
    (SELECT json_agg(c ORDER BY name)::text FROM colours c) AS colours,
    (SELECT (last_value, is_called)::text FROM numbers) AS numbers,
    (SELECT (last_value, is_called)::text FROM used) AS used,
    (SELECT (last_value, is_called)::text FROM goods_id_seq) AS ids,
    (SELECT (last_value, is_called)::text FROM colours_id_seq) AS more_ids,
    (SELECT array_agg(concat(relname, relacl) ORDER BY relname) FROM pg_class WHERE oid >= 16384) AS relations,
    (SELECT count(*) FROM pg_proc WHERE oid >= 16384) AS functions,
    (SELECT array_agg(concat(tgname, tgenabled) ORDER BY oid) FROM pg_trigger) AS triggers,
    (SELECT count(*) FROM pg_statistic WHERE starelid >= 16384) AS statistics,
    (SELECT sum(reltuples) FROM pg_class WHERE oid >= 16384) AS figures,
    (SELECT count(*) FROM pg_largeobject_metadata) AS objects,
    (SELECT count(*) FROM pg_locks WHERE database = oid AND pid <> pg_backend_pid()) AS locks,
    (SELECT obj_description('goods'::regclass)) AS comment,
    (SELECT concat(datconnlimit, datacl, shobj_description(oid, 'pg_database'))) AS own,
    current_setting('work_mem') AS setting
FROM pg_database
WHERE datname = current_database()
"""


async def look(url):
    [row] = await do(url, LOOK)
    return dict(row)


async def before_and_after(databases, *statements):
    """What a test finds after one that did this, and what it found before; and whether it is the same database."""
    async with databases.lend() as url:
        before = await look(url)
        await do(url, *statements)
    async with databases.lend() as url:
        after = await look(url)
    return before, after, before.pop("oid") == after.pop("oid")


FILL = "INSERT INTO goods (name) SELECT 'cup ' || n FROM generate_series(1, 500) n"


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param([FILL], id="rows, though a trigger keeps them"),
        pytest.param([FILL, "INSERT INTO parts SELECT id, id, 'x' FROM goods"], id="rows that hold each other"),
        pytest.param(["INSERT INTO sales VALUES ('2026-05-05', 1)"], id="rows of a partition"),
        pytest.param(["SELECT nextval('numbers'), nextval('used')"], id="numbers that were taken"),
        pytest.param(["SELECT setval('numbers', 100, true)"], id="a sequence that was only just called"),
        pytest.param(["INSERT INTO colours (name) VALUES ('green')"], id="more rows where there were some"),
        pytest.param(["UPDATE colours SET shade = 0.1 WHERE name = 'red'"], id="changed rows"),
        pytest.param(["DELETE FROM colours"], id="rows that are gone"),
        pytest.param(["CREATE TEMPORARY TABLE mine AS SELECT 1"], id="a temporary table"),
        pytest.param(["BEGIN", FILL, "ROLLBACK"], id="rows that never were"),
        pytest.param(["BEGIN", "DROP TABLE colours", "ROLLBACK"], id="tables that were never dropped"),
        pytest.param(["SET work_mem = '1MB'", "LISTEN x", "SELECT pg_advisory_lock(1)"], id="a session's own things"),
    ],
)
async def test_what_a_test_left_is_put_back_without_a_new_database(databases, statements):
    before, after, same = await before_and_after(databases, *statements)
    assert after == before
    assert same


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(["CREATE TABLE more (id int)"], id="a new table"),
        pytest.param(["CREATE SCHEMA more"], id="a new schema"),
        pytest.param(["CREATE TABLE shop.sales_2027 PARTITION OF sales DEFAULT"], id="a new partition"),
        pytest.param(["DROP TABLE sizes"], id="a table that is gone"),
        pytest.param(["DROP SCHEMA shop CASCADE"], id="everything gone"),
        pytest.param(["DROP TABLE sizes", "CREATE TABLE sizes (of int PRIMARY KEY)"], id="a table like the old one"),
        pytest.param(["TRUNCATE colours"], id="a truncated table"),
        pytest.param(["ALTER TABLE goods ADD weight int"], id="a new column"),
        pytest.param(["ALTER TABLE goods DISABLE TRIGGER ALL"], id="a trigger that is off"),
        pytest.param(["ALTER SEQUENCE numbers INCREMENT 2"], id="a sequence that counts otherwise"),
        pytest.param(["CREATE INDEX ON goods (name)"], id="a new index"),
        pytest.param(["CREATE RULE keep AS ON DELETE TO goods DO INSTEAD NOTHING"], id="a rule against deleting"),
        pytest.param(["GRANT SELECT ON goods TO PUBLIC"], id="a right that was given"),
        pytest.param(["GRANT CREATE ON SCHEMA shop TO PUBLIC"], id="a right on the schema"),
        pytest.param(["CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'"], id="a function"),
        pytest.param(["CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'"],
                     id="a function that does something else"),
        pytest.param(["COMMENT ON TABLE goods IS 'ours'"], id="a comment"),
        pytest.param(["SELECT lo_create(0)"], id="a large object"),
        pytest.param([FILL, "ANALYZE goods"], id="what the planner learnt"),
        pytest.param(["ANALYZE sizes"], id="that the planner learnt nothing"),
        pytest.param([FILL, "DELETE FROM parts", "VACUUM goods"], id="figures that are written in place"),
        pytest.param(["INSERT INTO sizes SELECT generate_series(1, 100000)"], id="far too many rows"),
        pytest.param(["INSERT INTO sizes SELECT generate_series(1, 100000)", "DELETE FROM sizes"],
                     id="room where far too many rows were"),
    ],
)  # fmt: skip
async def test_what_cannot_be_put_back_is_cloned_anew(databases, statements):
    before, after, same = await before_and_after(databases, *statements)
    assert after == before
    assert not same


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("ALTER DATABASE {name} SET work_mem = '1MB'", id="a setting of its own"),
        pytest.param("ALTER DATABASE {name} CONNECTION LIMIT 7", id="a limit"),
        pytest.param("REVOKE CONNECT ON DATABASE {name} FROM PUBLIC", id="a right to connect"),
        pytest.param("COMMENT ON DATABASE {name} IS 'ours'", id="a comment"),
        pytest.param("DROP DATABASE {name}", id="dropped by the test itself"),
        pytest.param("ALTER DATABASE {name} RENAME TO {name}_mine", id="renamed by the test itself"),
    ],
)
async def test_a_database_that_was_changed_from_outside_is_not_lent_again(databases, admin, statement):
    async with databases.lend() as url:
        before = await look(url)
        name = url.split("/")[-1].split("?")[0]
        await admin.execute(statement.format(name=name))
    async with databases.lend() as url:
        after = await look(url)
    assert before.pop("oid") != after.pop("oid")
    assert after == before
    await drop(admin, f"{name}_mine")


async def test_whoever_is_left_behind_loses_locks_and_work_and_the_way_back(databases):
    async with databases.lend() as url:
        before = await look(url)
        left = await asyncpg.connect(url)
        await left.execute("BEGIN; LOCK TABLE shop.goods; SELECT pg_advisory_lock(1); LISTEN anything")
    async with databases.lend() as other:
        assert await look(other) == before
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await left.execute("COMMIT")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(url)
    await left.close()


async def test_two_at_a_time_are_two(databases):
    async with databases.lend() as one, databases.lend() as other:
        await do(one, FILL)
        [mine, others] = [await look(one), await look(other)]
    assert mine["oid"] != others["oid"]
    assert (mine["filled"], others["filled"]) == (500, 0)
    async with databases.lend() as one, databases.lend() as other:
        assert {(await look(url))["oid"] for url in (one, other)} == {mine["oid"], others["oid"]}


async def test_it_is_as_new_after_many_tests(databases):
    oids = set()
    for _ in range(20):
        async with databases.lend() as url:
            found = await look(url)
            assert found["filled"] == 0
            oids.add(found["oid"])
            await do(url, FILL, "DELETE FROM colours")
    assert len(oids) == 1


async def test_a_cancelled_test_leaves_nothing(databases, admin):
    async def forever(started):
        async with databases.lend() as url:
            await do(url, FILL)
            started.set_result(url)
            await asyncio.Event().wait()

    started = asyncio.get_running_loop().create_future()
    test = asyncio.create_task(forever(started))
    url = await started
    test.cancel()
    with pytest.raises(asyncio.CancelledError):
        await test
    async with databases.lend() as other:
        assert other != url
        assert (await look(other))["filled"] == 0


async def test_nothing_stays_at_the_end(databases, admin):
    async with databases.lend() as one, databases.lend() as other:
        oids = [(await look(url))["oid"] for url in (one, other)]
    there = "SELECT count(*) FROM pg_database WHERE oid = ANY($1::oid[])"
    assert await admin.fetchval(there, oids) == 2
    await databases.drop_all()
    assert await admin.fetchval(there, oids) == 0

"""SQL files applied to a schema: once each, in order, by one process at a time."""

import asyncio

import asyncpg
import pytest

from deskstream.runtime.migrations import MigrationError, migrate, missing_migrations


@pytest.fixture
async def connection(database):
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
def folders(tmp_path):
    messaging, shop = tmp_path / "messaging" / "migrations", tmp_path / "shop" / "migrations"
    messaging.mkdir(parents=True)
    shop.mkdir(parents=True)
    (messaging / "0001_journal.sql").write_text("CREATE TABLE journal (id int); CREATE INDEX ON journal (id);")
    (shop / "0001_goods.sql").write_text("CREATE TABLE goods (id int);")
    (shop / "0002_prices.sql").write_text("ALTER TABLE goods ADD price int; INSERT INTO goods VALUES (1, 2);")
    return [messaging, shop]


ALL = ["messaging/0001_journal.sql", "shop/0001_goods.sql", "shop/0002_prices.sql"]


def names(migrations):
    return [str(migration) for migration in migrations]


async def test_files_are_applied_by_source_and_number_in_the_services_schema(connection, folders):
    assert names(await migrate(connection, "shop", folders)) == ALL
    assert await connection.fetchval("SELECT price FROM shop.goods") == 2
    rows = await connection.fetch("SELECT source || '/' || name AS file FROM shop.migrations ORDER BY at")
    assert [row["file"] for row in rows] == ALL


async def test_a_second_time_nothing_is_left_to_do(connection, folders):
    await migrate(connection, "shop", folders)
    assert await migrate(connection, "shop", folders) == []
    assert await connection.fetchval("SELECT count(*) FROM shop.goods") == 1


async def test_a_new_file_is_the_only_one_applied(connection, folders):
    await migrate(connection, "shop", folders)
    (folders[0] / "0002_heads.sql").write_text("CREATE TABLE heads (id int);")
    assert names(await missing_migrations(connection, "shop", folders)) == ["messaging/0002_heads.sql"]
    assert names(await migrate(connection, "shop", folders)) == ["messaging/0002_heads.sql"]
    assert await missing_migrations(connection, "shop", folders) == []


async def test_two_services_have_the_same_tables_side_by_side(connection, folders):
    await migrate(connection, "shop", folders)
    assert names(await migrate(connection, "stall", folders[:1])) == ALL[:1]


async def test_everything_is_missing_where_nothing_was_ever_applied(connection, folders):
    assert names(await missing_migrations(connection, "shop", folders)) == ALL


async def test_a_file_that_changed_after_it_was_applied_is_refused(connection, folders):
    await migrate(connection, "shop", folders)
    (folders[1] / "0001_goods.sql").write_text("CREATE TABLE goods (id bigint);")
    (folders[1] / "0003_more.sql").write_text("CREATE TABLE more (id int);")
    for look in (migrate, missing_migrations):
        with pytest.raises(
            MigrationError, match=r"shop/0001_goods\.sql has changed since .* write the change as a new"
        ):
            await look(connection, "shop", folders)
    assert await connection.fetchval("SELECT to_regclass('shop.more')") is None


async def test_a_file_that_fails_leaves_nothing_behind_and_can_be_mended(connection, folders):
    broken = folders[1] / "0003_broken.sql"
    broken.write_text("CREATE TABLE half (id int); SELECT * FROM nowhere;")
    with pytest.raises(MigrationError, match=r'shop/0003_broken\.sql .* relation "nowhere" does not exist'):
        await migrate(connection, "shop", folders)
    assert await connection.fetchval("SELECT to_regclass('shop.half')") is None
    broken.write_text("CREATE TABLE half (id int);")
    assert names(await migrate(connection, "shop", folders)) == ["shop/0003_broken.sql"]


async def test_of_many_processes_at_once_one_does_the_work(database, folders):
    (folders[1] / "0003_slow.sql").write_text("SELECT pg_sleep(0.2);")

    async def one_process():
        connection = await asyncpg.connect(database, server_settings={"lock_timeout": "50ms"})
        try:
            return await migrate(connection, "shop", folders)
        finally:
            await connection.close()

    applied = await asyncio.gather(*(one_process() for _ in range(5)))
    assert sorted(len(migrations) for migrations in applied) == [0, 0, 0, 0, 4]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("1_goods.sql", "named NNNN_what.sql", id="a number of one digit"),
        pytest.param("0003_Goods.sql", "named NNNN_what.sql", id="a capital letter"),
        pytest.param("0002_other.sql", "have the same number", id="a number taken twice"),
    ],
)
async def test_a_misnamed_file_is_refused(connection, folders, name, said):
    (folders[1] / name).write_text("SELECT 1;")
    with pytest.raises(MigrationError, match=said):
        await migrate(connection, "shop", folders)


async def test_a_name_that_is_no_identifier_makes_no_schema(connection, folders):
    with pytest.raises(MigrationError, match="is not a name for a schema"):
        await migrate(connection, "shop; DROP SCHEMA public", folders)


async def test_the_connection_is_given_back_as_it_was(connection, folders):
    before = await connection.fetchval("SHOW search_path")
    await migrate(connection, "shop", folders)
    assert await connection.fetchval("SHOW search_path") == before

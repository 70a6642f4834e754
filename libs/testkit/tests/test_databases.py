"""Databases for tests: fresh, migrated, and gone afterwards."""

from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from deskstream.testkit.databases import make_template


@dataclass(frozen=True)
class Shop:
    migrations: Path
    name: str = "shop"


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop" / "migrations"
    folder.mkdir(parents=True)
    # The path of this test's folder makes the text, and so the template, its own.
    (folder / "0001_goods.sql").write_text(f"CREATE TABLE goods (id int); -- {tmp_path}")
    return Shop(folder)


@pytest.fixture
async def admin(postgres_server):
    connection = await asyncpg.connect(postgres_server)
    yield connection
    await connection.close()


async def ask(url, sql):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def drop(admin, template):
    await admin.execute(f"DROP DATABASE {template.name}")


async def test_each_clone_is_migrated_and_its_own(postgres_server, admin, shop):
    template = await make_template(postgres_server, [shop])
    async with template.clone() as one, template.clone() as other:
        await ask(one, "INSERT INTO shop.goods VALUES (1)")
        assert await ask(one, "SELECT count(*) FROM shop.goods") == 1
        assert await ask(other, "SELECT count(*) FROM shop.goods") == 0
    await drop(admin, template)


async def test_a_clone_is_dropped_though_somebody_is_still_connected(postgres_server, admin, shop):
    template = await make_template(postgres_server, [shop])
    async with template.clone() as url:
        left_open = await asyncpg.connect(url)
        name = await left_open.fetchval("SELECT current_database()")
    assert await admin.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name) == 0
    await left_open.close()
    await drop(admin, template)


async def test_the_template_is_made_once_and_again_when_a_file_changes(postgres_server, admin, shop):
    first = await make_template(postgres_server, [shop])
    assert await make_template(postgres_server, [shop]) == first
    (shop.migrations / "0002_more.sql").write_text("CREATE TABLE more (id int);")
    second = await make_template(postgres_server, [shop])
    assert second != first
    async with second.clone() as url:
        assert await ask(url, "SELECT to_regclass('shop.more')::text") == "shop.more"
    await drop(admin, first)
    await drop(admin, second)


async def test_a_service_whose_sql_is_broken_is_left_out_with_a_warning(postgres_server, admin, shop):
    (shop.migrations / "0002_broken.sql").write_text("SELECT * FROM nowhere;")
    with pytest.warns(UserWarning, match=r"shop is not in the test database: shop/0002_broken\.sql"):
        template = await make_template(postgres_server, [shop])
    async with template.clone() as url:
        assert await ask(url, "SELECT to_regnamespace('shop')") is None
    await drop(admin, template)


async def test_a_database_that_a_killed_run_left_is_dropped(postgres_server, admin, shop):
    no_process = 2**22 + 1  # above the highest pid there is
    await admin.execute(f"CREATE DATABASE test_{no_process}_1")
    template = await make_template(postgres_server, [shop])
    left = await admin.fetchval("SELECT count(*) FROM pg_database WHERE datname LIKE $1", f"test_{no_process}_%")
    assert left == 0
    await drop(admin, template)

"""A service's pool on a real PostgreSQL."""

from uuid import UUID

from deskstream.runtime.pool import open_pool


async def test_a_pool_works_in_its_own_schema_under_its_own_name(database):
    async with await open_pool(database, "shop") as pool:
        await pool.execute("CREATE SCHEMA shop; CREATE TABLE goods (id uuid)")
        row = await pool.fetchrow(
            "SELECT current_schema() AS schema, current_setting('application_name') AS name, "
            "current_setting('jit') AS jit, current_setting('timezone') AS zone, to_regclass('shop.goods') AS goods"
        )
        assert tuple(row.values()) == ("shop", "deskstream-shop", "off", "UTC", row["goods"])
        assert row["goods"] is not None


async def test_ids_come_back_as_uuids(database):
    async with await open_pool(database, "shop") as pool:
        found = await pool.fetchval("SELECT gen_random_uuid()")
        assert isinstance(found, UUID)


async def test_a_pool_opens_one_connection_and_no_more_than_its_size(database):
    async with await open_pool(database, "shop", size=2) as pool:
        assert (pool.get_size(), pool.get_max_size()) == (1, 2)

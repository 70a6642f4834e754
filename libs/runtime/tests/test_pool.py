"""A service's pool on a real PostgreSQL."""

from uuid import UUID

from deskstream.runtime.pool import open_pool


async def test_a_pool_works_in_its_own_schema_under_its_own_name(database):
    async with await open_pool(database, "shop") as pool:
        await pool.execute("CREATE SCHEMA shop; CREATE TABLE goods (id uuid)")
        (row,) = await pool.fetch(
            "SELECT current_schema(), current_setting('application_name'), current_setting('jit'), "
            "current_setting('random_page_cost'), current_setting('timezone'), "
            "to_regclass('goods') = to_regclass('shop.goods')"
        )
        assert tuple(row) == ("shop", "deskstream-shop", "off", "1.1", "UTC", True)


async def test_ids_come_back_as_uuids(database):
    async with await open_pool(database, "shop") as pool:
        found = await pool.fetchval("SELECT gen_random_uuid()")
        assert isinstance(found, UUID)


async def test_a_pool_opens_one_connection_and_no_more_than_its_size(database):
    async with await open_pool(database, "shop", size=2) as pool:
        assert (pool.get_size(), pool.get_max_size()) == (1, 2)

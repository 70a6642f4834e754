"""What the fixtures promise to a test: nothing of another test is there."""

import pytest

from deskstream.testkit.streams import BareBroker, stream_names


@pytest.mark.parametrize("turn", ["first", "second"])
def test_the_broker_is_empty_for_each_test(nats_url, turn):
    assert stream_names(nats_url) == set()
    with BareBroker(nats_url) as broker:
        broker.ask("$JS.API.STREAM.CREATE.LEFT", name="LEFT", subjects=["left.>"], deny_delete=True)
    assert stream_names(nats_url) == {"LEFT"}


def test_a_broker_that_refuses_says_why(nats_url):
    with BareBroker(nats_url) as broker, pytest.raises(RuntimeError, match="stream not found"):
        broker.ask("$JS.API.STREAM.DELETE.NOTHING")


@pytest.mark.parametrize("turn", ["first", "second"])
async def test_the_database_is_new_for_each_test(pool_for, turn):
    pool = await pool_for("shop")
    await pool.execute("CREATE SCHEMA shop; CREATE TABLE goods (id int)")


async def test_pools_of_one_test_share_its_database_each_in_its_schema(pool_for):
    shop, sla = await pool_for("shop"), await pool_for("sla_like")
    await shop.execute("CREATE SCHEMA shop; CREATE TABLE goods AS SELECT 1 AS id")
    assert await sla.fetchval("SELECT id FROM shop.goods") == 1
    assert await sla.fetchval("SELECT to_regclass('goods')") is None

import pytest

pytestmark = pytest.mark.timeout(300)


async def test_who_does_not_hear_conversations_cannot_be_measured(nowhere):
    said = await nowhere("bench", "drain", "--reader", "crm")
    assert said.code == 2
    assert "These do:" in said.err
    assert "sla" in said.err


@pytest.mark.long
async def test_p2_p4_a_history_is_read_through_a_kill_and_hardly_anything_twice(nowhere):
    said = await nowhere("bench", "bootstrap", "--events", 10_000, "--json")
    assert said.code == 0, said.err
    figures = said.json
    assert figures["events"] == 10_000
    assert 0 < figures["killed_at"] < 10_000
    assert figures["read_again"] <= 400
    assert figures["events_per_s"] > 0
    assert figures["memory_mb"] < 200


@pytest.mark.long
async def test_p2_a_backlog_is_worked_off_in_few_batches_and_nothing_twice(nowhere):
    said = await nowhere("bench", "drain", "--events", 5_000, "--json")
    assert said.code == 0, said.err
    figures = said.json
    assert (figures["reader"], figures["events"]) == ("sla", 5_000)
    assert figures["read_again"] == 0
    assert figures["events_per_s"] == pytest.approx(5_000 / figures["seconds"], rel=0.1)
    # By itself an event costs the reader some two milliseconds, in a batch a tenth of that.
    assert 0 < figures["cpu_us_per_event"]["reader"] < 1_500
    assert figures["memory_mb"] < 200

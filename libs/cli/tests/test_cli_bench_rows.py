import asyncio

import pytest

from deskstream.cli.bench import clocks, inbox, reply
from deskstream.cli.bench.deciding import bench_routing
from deskstream.cli.problem import Problem

pytestmark = pytest.mark.timeout(300)

RAW = {"publish_per_s", "publish_us", "pull_per_s", "pull_us", "insert_per_s", "insert_us", "codec_us"}


def measured(run):
    told: list[str] = []
    figures = asyncio.run(run(told.append))
    assert figures["raw"].keys() == RAW
    assert told
    return figures


@pytest.mark.long
def test_replies_by_http_are_measured_each_to_a_conversation_of_its_own():
    figures = measured(lambda say: reply.bench_reply(reply.Plan(rate=20, seconds=2, mails=500), say))
    assert figures["replies"] == 40
    assert figures["conversations"] >= 40
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert figures["cpu_ms_per_reply"] > 0


@pytest.mark.long
def test_the_first_page_is_measured_with_few_and_with_many():
    figures = measured(lambda say: inbox.bench_inbox(inbox.Plan(size=4000, few=2000), say))
    assert figures["conversations"] == 4000
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert figures["many_to_few"] == pytest.approx(figures["p50_ms"] / figures["few_p50_ms"], abs=0.001)
    assert {f"{view}_p50_ms" for view in inbox.VIEWS} <= figures.keys()


@pytest.mark.long
def test_clocks_are_computed_anew_and_raised_when_they_are_due():
    figures = measured(lambda say: clocks.bench_sla(clocks.Plan(size=1000, rate=20, seconds=1), say))
    assert figures["clocks"] == 1000
    assert figures["recompute_s"] > 0
    assert figures["raised"] == 20
    assert 0 <= figures["raised_p50_ms"] <= figures["raised_max_ms"] < 60_000


@pytest.mark.slow
def test_a_decision_is_measured_among_as_many_rules_as_one_asks_for():
    figures = measured(lambda say: bench_routing(10, say))
    assert figures["rules"] == 10
    assert 0 < figures["rules_us"] < figures["decision_us"]


@pytest.mark.slow
def test_a_decision_that_cannot_be_measured_is_a_problem():
    with pytest.raises(Problem, match="ended with"):
        asyncio.run(bench_routing(-1, lambda _: None))

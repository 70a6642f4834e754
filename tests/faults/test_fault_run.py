"""P1–P5, P7, P11: short fault runs over the real message path; `make faults` is the longer one."""

import pytest

from deskstream.cli.faults.breaking import KINDS
from deskstream.cli.faults.run import Plan, run_faults

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]

NOTHING = ("duplicates", "lost", "order_violations", "dead", "waiting", "unpublished")


async def test_p1_p2_p3_p5_p7_p11_a_short_run_loses_nothing_repeats_nothing_and_keeps_every_order():
    said: list[str] = []
    outcome = await run_faults(Plan(seconds=8, seed=1, rate=40), said.append)
    figures = outcome.figures
    assert figures["broken"] == []
    assert figures["accepted"] == figures["effects"] > 200
    assert [figures[name] for name in NOTHING] == [0] * len(NOTHING)
    received = figures["received"]
    assert received["all"] == received["applied"] + received["duplicate"] + received["rejected"]
    assert received["duplicate"] > 0
    assert received["rejected"] > 0
    assert figures["recovered_in_s"] <= 60
    assert sum(figures["faults"].values()) >= 2
    assert {kind.name for kind in KINDS.values() if kind.takes_s <= 4} >= set(figures["faults"])
    assert (figures["seed"], figures["seconds"]) == (1, 8)
    assert len(said) >= sum(figures["faults"].values())


@pytest.mark.parametrize("kind", ["lose_nats_store", "put_back_nats_store", "put_back_database"])
async def test_p1_p2_p3_p4_streams_and_journals_that_tell_different_stories_fit_again(kind):
    said: list[str] = []
    outcome = await run_faults(Plan(seconds=2, seed=4, rate=30, only=(kind,)), said.append)
    figures = outcome.figures
    assert figures["broken"] == []
    assert figures["accepted"] == figures["effects"] > 50
    assert [figures[name] for name in NOTHING] == [0] * len(NOTHING)
    assert figures["faults"][kind] >= 1
    assert not any("left alone" in line for line in said)

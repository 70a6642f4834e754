"""P1–P5, P7, P11: short fault runs over the real message path; `make faults` is the longer one."""

import os
import shutil
import signal

import pytest

from deskstream.cli.faults.breaking import KINDS
from deskstream.cli.faults.breaking.messages import COPIES, unreadable_events
from deskstream.cli.faults.breaking.stores import lose_nats_store
from deskstream.cli.faults.load import Load
from deskstream.cli.faults.publisher import Publisher
from deskstream.cli.faults.run import Plan, run_faults, victims_of
from deskstream.cli.faults.world import running

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
    assert {kind.name for kind in KINDS.values() if kind.takes_s <= 8} >= set(figures["faults"])
    assert (figures["seed"], figures["seconds"]) == (1, 8)
    assert len(said) >= sum(figures["faults"].values())


async def loses_nothing(kind, *, seed=4, seconds=2):
    """A run of this kind only, which came and found something to damage."""
    outcome = await run_faults(Plan(seconds=seconds, seed=seed, rate=30, only=(kind,)), lambda _: None)
    figures = outcome.figures
    assert figures["broken"] == []
    assert figures["accepted"] == figures["effects"] > 50
    assert [figures[name] for name in NOTHING] == [0] * len(NOTHING)
    assert figures["faults"][kind] >= 1
    return figures


@pytest.mark.parametrize("kind", ["lose_nats_store", "put_back_nats_store", "put_back_database"])
async def test_p1_p2_p3_p4_streams_and_journals_that_tell_different_stories_fit_again(kind):
    figures = await loses_nothing(kind)
    assert figures["skipped"] == {}


async def test_p1_p2_p3_p20_a_loop_that_stands_still_is_noticed_from_outside_and_nothing_is_lost():
    await loses_nothing("freeze_loop")


async def test_p2_p5_floods_of_a_thousand_copies_have_one_effect_each_and_hold_up_nobody():
    figures = await loses_nothing("flood_of_copies", seconds=8)
    assert figures["received"]["duplicate"] > 2 * COPIES
    assert figures["recovered_in_s"] < 30


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="only root with iproute2 lays cables")
async def test_p1_p2_p3_p5_processes_whose_network_goes_down_go_on_where_they_were():
    await loses_nothing("partition", seconds=6)


async def test_p6_what_nobody_had_read_yet_is_not_asked_for_when_the_store_is_lost(tmp_path):
    async with running(tmp_path) as world:
        publisher = Publisher(world.client, Load(1), 1)
        victims = victims_of(world, publisher, Plan())
        readers = [service for service in world.services if "routing" in service.services]
        for service in readers:
            service.send(signal.SIGSTOP)
        await unreadable_events(victims)
        assert "routing" in {one.reader for one in victims.planted}
        await lose_nats_store(victims)
        assert "routing" not in {one.reader for one in victims.planted}
        for service in readers:
            service.send(signal.SIGCONT)

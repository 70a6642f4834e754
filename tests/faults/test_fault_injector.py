"""Every kind of fault comes in some run, and what found nothing to damage is not counted as a fault."""

import asyncio
import random
from types import SimpleNamespace

import psutil
import pytest

from deskstream.cli.faults.breaking import KINDS, Kind, Spared, limits, network, processes, victims
from deskstream.cli.faults.injector import Injector, Turns
from deskstream.cli.faults.lines import Line
from deskstream.cli.faults.processes import Kept
from deskstream.cli.problem import Problem

CI_S = 30.0
BETWEEN_S = 1.0


@pytest.fixture
def nobody(tmp_path):
    """Somebody to hurt whose process is down, and whose lines carry nothing."""
    kept, line = Kept("crm", ("crm",), {}, 1, tmp_path / "log"), Line(("127.0.0.1", 1))
    return SimpleNamespace(
        services=[kept], service=lambda: kept, nats_lines=[line], postgres_lines=[line],
        chance=random.Random(1), seconds=lambda *_: 0.01, pause_s=lambda: 0.01,
    )  # fmt: skip


def drawn(seed, seconds):
    """The kinds of a run in which each takes as long as it says."""
    turns, left, found = Turns(list(KINDS.values()), random.Random(seed)), seconds, []
    while left > 0 and (kind := turns.next(left)):
        found.append(kind)
        left -= kind.takes_s + BETWEEN_S
    return found


def test_over_many_short_runs_every_kind_comes():
    came = {kind.name for seed in range(100) for kind in drawn(seed, CI_S)}
    assert came == set(KINDS)


def test_no_kind_begins_that_takes_longer_than_is_left():
    for seed in range(100):
        assert sum(kind.takes_s + BETWEEN_S for kind in drawn(seed, CI_S)) <= CI_S + BETWEEN_S


def test_in_a_long_run_every_kind_comes_before_any_comes_again():
    found = [kind.name for kind in drawn(1, 600.0)]
    assert set(found[: len(KINDS)]) == set(KINDS)
    assert found == [kind.name for kind in drawn(1, 600.0)] != [kind.name for kind in drawn(2, 600.0)]


async def test_a_process_that_ends_just_as_it_is_to_be_hurt_was_spared(nobody):
    async def too_late(_):
        raise psutil.NoSuchProcess(7)

    faults = Injector(nobody, lambda _: None, kinds={"harm": Kind("harm", too_late)})
    await faults.run(1.0)
    assert not faults.done
    assert set(faults.skipped) == {"harm"}


async def test_what_found_nothing_to_damage_is_said_and_counted_apart(nobody):
    async def damage(_):
        return "something was damaged"

    async def spare(_):
        raise Spared("it was down already")

    kinds = {kind.name: kind for kind in (Kind("harm", damage), Kind("none", spare))}
    said: list[str] = []
    faults = Injector(nobody, said.append, kinds=kinds)
    await faults.run(4.0)
    assert set(faults.done) == {"harm"}
    assert set(faults.skipped) == {"none"}
    assert len(said) == faults.done.total() + faults.skipped.total()
    assert any("it was down already: no none" in line for line in said)


@pytest.mark.parametrize(
    "damage",
    [
        processes.kill,
        processes.pause,
        processes.stop,
        pytest.param(processes.kill_at_point, marks=pytest.mark.long),
        limits.few_descriptors,
        limits.little_memory,
        network.cut,
        network.half_open,
        network.crawl,
        pytest.param(network.lose_publish, marks=pytest.mark.long),
    ],
)
async def test_a_damage_says_when_there_is_nobody_to_hurt(nobody, damage):
    with pytest.raises(Spared):
        await damage(nobody)


async def test_whoever_does_not_end_is_named():
    process = await asyncio.create_subprocess_exec("sleep", "600")
    with pytest.raises(Problem, match=f"still there after .*pid={process.pid}.*sleep"):
        await victims.until_gone([psutil.Process(process.pid)], within=0.1)
    process.kill()
    await process.wait()
    await victims.until_gone([])


def test_a_pause_is_longer_in_a_longer_run_and_never_over_15_s():
    def pauses(run_s):
        chance = random.Random(1)
        return [victims.pause_s(chance, run_s) for _ in range(500)]

    assert 3.5 < max(pauses(8)) <= 4
    for run_s in (CI_S, 600):
        assert 0.5 <= min(pauses(run_s)) < 0.6
        assert 14 < max(pauses(run_s)) <= 15
        assert sum(pauses(run_s)) / 500 < 5

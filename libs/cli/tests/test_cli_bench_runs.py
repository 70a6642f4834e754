import asyncio
import os
import re
from pathlib import Path

import pytest

from deskstream.cli.bench import kinds
from deskstream.cli.bench.bounds import Figure, judged
from deskstream.cli.bench.everything import in_one, measured_all
from deskstream.cli.bench.machine import Moment
from deskstream.cli.bench.repeating import Ahead, Measurement, repeated
from deskstream.cli.bench.telling import rows
from deskstream.cli.problem import Problem

PAGE = Path(__file__).parents[3] / "docs/how-to/measure.md"
BOUND = re.compile(r"[≤≥] [0-9,.]*[0-9]")
FIGURES = (
    Figure("per_s", "things a second", at_least=10),
    Figure("ms", "ms a thing", at_most=2),
    Figure("n", "things"),
)


def measurement(*answers, about_s=1.0):
    given = iter(answers)

    async def run(progress):
        progress("measuring")
        return next(given)

    return Measurement("things", FIGURES, "per_s", run, about_s, len(answers))


def run_of(per_s, ms=1.0, raw=30.0):
    return {"per_s": per_s, "ms": ms, "n": 7, "parts": {"of": per_s}, "raw": {"publish_us": raw}}


def answer_of(*runs):
    return asyncio.run(repeated(measurement(*runs), lambda _: None))


@pytest.mark.parametrize(
    ("figure", "measured", "must", "reached"),
    [
        pytest.param(Figure("a", "", at_least=1500), 1500, "≥ 1,500", True, id="a floor is reached by itself"),
        pytest.param(Figure("a", "", at_least=1500), 1499.9, "≥ 1,500", False, id="below the floor it is not"),
        pytest.param(Figure("a", "", at_most=1.3), 1.3, "≤ 1.3", True, id="a ceiling is kept by itself"),
        pytest.param(Figure("a", "", at_most=1.3), 1.31, "≤ 1.3", False, id="above the ceiling it is not"),
        pytest.param(Figure("a", ""), 5, "", None, id="without a bound there is nothing to reach"),
    ],
)
def test_a_bound_is_told_and_judged(figure, measured, must, reached):
    assert figure.must == must
    assert figure.reached(measured) is reached


def test_only_figures_with_a_bound_are_judged():
    assert judged(FIGURES, {"per_s": 12.0, "ms": 3.0, "n": 7}) == [
        {"figure": "per_s", "what": "things a second", "must": "≥ 10", "measured": 12.0, "reached": True},
        {"figure": "ms", "what": "ms a thing", "must": "≤ 2", "measured": 3.0, "reached": False},
    ]


def test_the_median_of_the_runs_is_told_with_its_spread_and_every_run():
    answer = answer_of(run_of(30.0, ms=1.0, raw=20), run_of(10.0, ms=4.0, raw=40), run_of(20.0, ms=3.0, raw=24))
    assert (answer["per_s"], answer["ms"], answer["n"]) == (20.0, 3.0, 7)
    assert answer["spread"] == {"per_s": [10.0, 30.0], "ms": [1.0, 4.0], "n": [7, 7]}
    assert answer["raw"] == {"publish_us": 24}
    assert [run["per_s"] for run in answer["runs"]] == [30.0, 10.0, 20.0]
    assert [bound["reached"] for bound in answer["bounds"]] == [True, False]


def test_what_is_made_of_parts_is_told_of_the_run_in_the_middle():
    assert answer_of(run_of(30.0), run_of(10.0), run_of(20.0))["parts"] == {"of": 20.0}
    assert answer_of(run_of(30.0), run_of(10.0))["parts"] == {"of": 10.0}


def test_every_run_says_what_the_machine_was_like():
    machine = answer_of(run_of(1.0))["runs"][0]["machine"]
    assert machine["cores"] == os.cpu_count()
    assert machine["cores_used_by_others"] >= 0
    assert machine["load_average_before"] >= 0


def test_what_we_use_ourselves_is_not_of_others():
    before = Moment(at=0.0, all_of_it=100.0, ours=50.0, load=1.0)
    assert before.until(Moment(at=10.0, all_of_it=120.0, ours=65.0, load=2.0)) == {
        "cores": os.cpu_count(), "cores_used_by_others": 0.5, "load_average_before": 1.0, "load_average_after": 2.0,
    }  # fmt: skip
    assert before.until(Moment(at=10.0, all_of_it=110.0, ours=65.0, load=2.0))["cores_used_by_others"] == 0.0


def test_our_own_work_is_seen_as_ours():
    before = Moment.now()
    sum(n * n for n in range(2_000_000))
    after = Moment.now()
    assert 0 < after.ours - before.ours <= after.all_of_it - before.all_of_it + 0.05


def test_progress_says_which_run_it_is_and_how_long_it_takes():
    told: list[str] = []
    ahead = Ahead(3, 200.0, told.append)
    ahead("starting")
    ahead.another()
    ahead("starting again")
    Ahead(1, -1.0, told.append)("full speed")
    assert told[0] == "run 1 of 3, about 10 min left: starting"
    assert told[1].startswith("run 2 of 3, ")
    assert "about 10 min" not in told[1]
    assert told[2] == "run 1 of 1, longer than expected: full speed"


def test_a_table_row_has_figure_median_spread_and_bound():
    answer = answer_of(run_of(1000.0, ms=1.0), run_of(3000.0, ms=1.0), run_of(2000.0, ms=1.0))
    assert rows(FIGURES, answer) == [
        ["things a second", "2,000.0", "1,000.0 … 3,000.0", "≥ 10", "yes"],
        ["ms a thing", "1.0", "", "≤ 2", "yes"],
        ["things", "7", "", "", ""],
    ]


def test_one_that_fails_costs_no_other_its_figures():
    async def fails(_):
        raise Problem("Nobody answered in time.")

    broken = Measurement("broken", FIGURES, "per_s", fails, 60.0, 1)
    told: list[str] = []
    answers, missing = measured_all([broken, measurement(run_of(12.0, ms=3.0))], told.append)
    assert told[0] == "broken, 1 of 2; about 1 min left for all"
    whole = in_one(answers, missing)
    assert whole["missing"] == {"broken": "Nobody answered in time."}
    assert (whole["reached"], whole["bounds"]) == (1, 2)
    assert whole["measurements"]["things"]["per_s"] == 12.0


def test_everything_is_what_there_is_whole_and_quick():
    assert [one.name for one in kinds.whole()] == [one.name for one in kinds.quick()]
    assert all(one.middle in {figure.name for figure in one.figures} for one in kinds.whole())
    assert sum(one.about_s * one.runs for one in kinds.quick()) < sum(one.about_s * one.runs for one in kinds.whole())


async def test_every_measurement_has_a_command_of_its_own(nowhere):
    said = await nowhere("bench", "--help")
    assert all(f" {one.name} " in said.out for one in kinds.whole())
    assert " all " in said.out


@pytest.mark.parametrize("measurement", kinds.whole(), ids=lambda one: one.name)
def test_the_page_about_measuring_tells_every_bound(measurement):
    command = f"| `deskstream bench {measurement.name}`"
    (row,) = [line for line in PAGE.read_text().splitlines() if line.startswith(command)]
    assert {figure.must for figure in measurement.figures} - {""} == set(BOUND.findall(row))

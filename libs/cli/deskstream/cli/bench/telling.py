"""The answers as tables: figure, measured, spread, bound, and what the machine was like meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deskstream.cli import output
from deskstream.cli.bench.bounds import Figure, Figures
from deskstream.cli.bench.repeating import Measurement

COLUMNS = ("figure", "measured", "from … to", "must", "reached")
REACHED = {True: "yes", False: "NO", None: ""}
RAW = (
    ("publish_per_s", "published a second, 1 KiB"),
    ("publish_us", "µs of CPU a message published"),
    ("pull_per_s", "pulled a second"),
    ("pull_us", "µs of CPU a message pulled"),
    ("insert_per_s", "rows inserted a second"),
    ("insert_us", "µs of CPU a row"),
    ("codec_us", "µs to decode and encode an event"),
)
MACHINE = (
    ("cores", "cores"),
    ("cores_used_by_others", "of them used by others meanwhile"),
    ("load_average_before", "load average before"),
    ("load_average_after", "load average after"),
)
PARTS = ("handlings_per_message", "python_us_per_handling", "database_us_per_handling", "ms_per_message")


def tell(figures: Figures, answer: Mapping[str, Any]) -> None:
    """One measurement."""
    output.table(COLUMNS, rows(figures, answer))
    if "made_of" in answer:
        _tell_parts(answer)
    output.table(["what the machine gives", "in the same runs"], _beside(RAW, answer["raw"]))
    output.table(["machine", ""], _beside(MACHINE, answer["machine"]))


def tell_all(answers: Sequence[tuple[Measurement, Mapping[str, Any]]]) -> None:
    """All of them in one table, what the machine gave below each."""
    told = [
        [measurement.name, *row]
        for measurement, answer in answers
        for row in [*rows(measurement.figures, answer), _in_one_row(answer)]
    ]
    output.table(["measurement", *COLUMNS], told)
    for _, answer in answers:
        if "made_of" in answer:
            _tell_parts(answer)


def rows(figures: Figures, answer: Mapping[str, Any]) -> list[list[str]]:
    """A row a figure."""
    return [[figure.what, _number(answer[figure.name]), *_beside_figure(figure, answer)] for figure in figures]


def _beside_figure(figure: Figure, answer: Mapping[str, Any]) -> list[str]:
    least, most = answer["spread"][figure.name]
    between = "" if least == most else f"{_number(least)} … {_number(most)}"
    return [between, figure.must, REACHED[figure.reached(answer[figure.name])]]


def _in_one_row(answer: Mapping[str, Any]) -> list[str]:
    raw, machine = answer["raw"], answer["machine"]
    gave = f"publish {raw['publish_us']:g}, pull {raw['pull_us']:g}, insert {raw['insert_us']:g} µs"
    others = f"others used {machine['cores_used_by_others']:g} of {machine['cores']} cores"
    return [f"(the machine: {gave}, codec {raw['codec_us']:g} µs; {others})", "", "", "", ""]


def _tell_parts(answer: Mapping[str, Any]) -> None:
    by_process = answer["cpu_ms_by_process"].items()
    output.table(["process", "CPU ms a mail"], [[name, f"{ms}"] for name, ms in by_process])
    parts = [[row["who"], *(f"{row.get(column, '')}" for column in PARTS)] for row in answer["made_of"]]
    whole = f"{sum(row['ms_per_message'] for row in answer['made_of']):.3f}"
    output.table(
        ["a mail's CPU is made of", "handlings a mail", "µs in Python each", "µs in the database each", "ms a mail"],
        [*parts, ["all, as measured in two processes", "", "", "", whole]],
    )
    output.table(["memory", "MB"], [[name, f"{mb}"] for name, mb in answer["memory_mb"].items()])


def _beside(names: Sequence[tuple[str, str]], values: Mapping[str, float]) -> list[list[str]]:
    return [[what, _number(values[name])] for name, what in names]


def _number(value: float) -> str:
    return f"{value:,}"

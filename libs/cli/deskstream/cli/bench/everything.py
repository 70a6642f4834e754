"""`deskstream bench all`: one measurement after the other, and their answers as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deskstream.cli.bench.repeating import Measurement, Progress, repeated
from deskstream.cli.execution import carry_out
from deskstream.cli.problem import Problem

Answers = Sequence[tuple[Measurement, dict[str, Any]]]


def measured_all(measurements: Sequence[Measurement], say: Progress) -> tuple[Answers, dict[str, str]]:
    """The answers, and why what is missing is: one that fails must not cost an hour's figures."""
    answers: list[tuple[Measurement, dict[str, Any]]] = []
    missing: dict[str, str] = {}
    for place, measurement in enumerate(measurements):
        left = sum(one.about_s * one.runs for one in measurements[place:]) / 60
        say(f"{measurement.name}, {place + 1} of {len(measurements)}; about {left:.0f} min left for all")
        try:
            answers.append((measurement, carry_out(repeated(measurement, say))))
        except Problem as problem:
            missing[measurement.name] = problem.sentence
    return answers, missing


def in_one(answers: Answers, missing: Mapping[str, str]) -> dict[str, Any]:
    """One object: every answer by its name, and how many bounds are reached."""
    bounds = [bound for _, answer in answers for bound in answer["bounds"]]
    return {
        "reached": sum(bound["reached"] for bound in bounds),
        "bounds": len(bounds),
        "missing": dict(missing),
        "measurements": {measurement.name: answer for measurement, answer in answers},
    }

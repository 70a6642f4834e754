"""`deskstream faults`: breaks what it started, under load, and says whether the promises held."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from secrets import randbelow
from typing import Annotated, Any

import typer

from deskstream.cli import output
from deskstream.cli.execution import carry_out
from deskstream.cli.faults.breaking import KINDS
from deskstream.cli.faults.run import Outcome, Plan, run_faults
from deskstream.cli.faults.verdict import Breach
from deskstream.cli.problem import WRONG, misused

app = typer.Typer()

FIGURES = (
    ("accepted", "mails acknowledged by the stream", ""),
    ("effects", "of these applied in a conversation", "all"),
    ("lost", "of these not applied", "0"),
    ("duplicates", "applied more than once", "0"),
    ("order_violations", "applied out of their thread's order", "0"),
    ("dead", "dead letters, the unreadable ones not counted", "0"),
    ("waiting", "still waiting", "0"),
    ("unpublished", "said and not published", "0"),
    ("recovered_in_s", "seconds from the last fault until all was done", "≤ 30 + backlog"),
)

LATE = 3


@app.command()
def command(
    seconds: Annotated[float, typer.Option(min=1, max=86_400, help="How long there are faults.")] = 30.0,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed: the same mails, the same faults.")] = None,
    rate: Annotated[float, typer.Option(min=1, max=2000, help="Mails a second.")] = 50.0,
    only: Annotated[list[str] | None, typer.Option("--only", help="This kind of fault. Can be repeated.")] = None,
    as_json: output.AsJson = False,
) -> None:
    """Kill, pause and cut what runs, under load; then count what got lost, came twice or lost its order: nothing.

    Starts servers and services of its own and leaves yours alone. Exit code 1 when a promise was broken, 3 when all was
    done, but not in time; it then says where to look, and which command does the same again. Kinds that take longer
    than what is left of the time wait for another run. Only root can fill disks and take a network down.
    """
    unknown = [name for name in only or () if name not in KINDS]
    if unknown:
        raise misused(f"There is no fault {unknown[0]!r}; there are {', '.join(KINDS)}.")
    chosen = randbelow(1_000_000) if seed is None else seed
    plan = Plan(seconds=seconds, seed=chosen, rate=rate, only=tuple(only or ()))
    output.hint(f"seed {plan.seed}")
    outcome = carry_out(run_faults(plan, output.hint))
    if as_json:
        output.say_json(outcome.figures)
    else:
        _tell(outcome.figures)
    if outcome.breaches:
        _complain(outcome, plan)
        sys.exit(exit_code(outcome.breaches))


def exit_code(breaches: Sequence[Breach]) -> int:
    """3 for what was only late, which a busy machine is, too; 1 for what was lost, doubled or out of order."""
    return LATE if all(one.promise == "P5" for one in breaches) else WRONG


def _tell(figures: dict[str, Any]) -> None:
    rows = [[what, _shown(figures[name]), must] for name, what, must in FIGURES]
    output.table(["figure", "counted", "must be"], rows)
    done, skipped = figures["faults"], figures["skipped"]
    rows = [[name, str(done.get(name, 0)), str(skipped.get(name, 0))] for name in sorted(done | skipped)]
    output.table(["fault", "times", "found nothing to damage"], rows)
    output.table(["ingest received", "mails"], [[name, f"{n:,}"] for name, n in figures["received"].items()])


def _shown(value: float | None) -> str:
    return "not in time" if value is None else f"{value:,}"


def _complain(outcome: Outcome, plan: Plan) -> None:
    for one in outcome.breaches:
        output.hint(f"broken: {one.promise}, {one.what}. Look at {one.look_at}.")
    output.hint(f"The services' logs are in {outcome.logs}.")
    only = "".join(f" --only {name}" for name in plan.only)
    output.hint(f"Again: deskstream faults --seconds {plan.seconds:g} --seed {plan.seed} --rate {plan.rate:g}{only}")

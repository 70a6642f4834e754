"""`deskstream bench`: measurements, each with its bound and what the machine gives beside it."""

from __future__ import annotations

from typing import Annotated

import typer

from deskstream.cli import output
from deskstream.cli.bench import backlog, clocks, kinds, telling
from deskstream.cli.bench import inbox as listing
from deskstream.cli.bench import reply as answering
from deskstream.cli.bench.everything import in_one, measured_all
from deskstream.cli.bench.pipeline import Plan
from deskstream.cli.bench.repeating import Measurement, repeated
from deskstream.cli.execution import carry_out
from deskstream.cli.problem import WRONG, misused
from deskstream.contracts.conversation import LANE
from deskstream.runtime.schemas import installed_services

app = typer.Typer(
    no_args_is_help=True,
    help="Measure what the machine gives and what the system makes of it, each figure beside what it must reach. "
    "Everything runs on servers of its own; nothing is left. How far it is, is told on stderr.",
)

Events = Annotated[int, typer.Option(min=5000, max=10_000_000, help="How many events the lane has.")]
Reader = Annotated[str, typer.Option(help="Which service reads: one that hears conversations.")]

Runs = Annotated[int, typer.Option(min=1, max=99, help="How often; the median is told.")]


@app.command()
def pipeline(
    seconds: Annotated[
        float, typer.Option(min=1, max=3600, help="How long full speed is measured, all runs together.")
    ] = 60.0,
    calm_seconds: Annotated[
        float, typer.Option(min=1, max=600, help="How long latency at rest is measured in each run.")
    ] = Plan.calm_seconds,
    runs: Runs = 3,
    permissions: Annotated[
        bool, typer.Option("--permissions", help="Each service may do only what it declares.")
    ] = False,
    as_json: output.AsJson = False,
) -> None:
    """Measure the whole path: an adapter's publish to the mail visible in the inbox.

    The mix: 20 % new conversations, 80 % replies, 10,000 contacts; the services in two processes, on servers of their
    own. `made_of` says what the CPU time of a mail consists of, service by service.
    """
    each = seconds / runs
    plan = Plan(
        seconds=each, calm_seconds=calm_seconds, apart_seconds=min(Plan.apart_seconds, each), permissions=permissions
    )
    _answer(kinds.pipeline(plan, runs), as_json=as_json)


@app.command()
def start(runs: Runs = 3, as_json: output.AsJson = False) -> None:
    """Measure how long `deskstream up` takes until it is ready, and its memory when there is nothing to do."""
    _answer(kinds.start(runs), as_json=as_json)


@app.command()
def replicas(
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long each is measured in each run.")] = 20.0,
    runs: Runs = 3,
    as_json: output.AsJson = False,
) -> None:
    """Measure the whole path with one and with two of every service."""
    _answer(kinds.replicas(seconds, runs), as_json=as_json)


@app.command()
def bootstrap(
    events: Events = 1_000_000, reader: Reader = "sla", runs: Runs = 1, as_json: output.AsJson = False
) -> None:
    """Measure how fast a new reader takes up a lane from the journal, killed with -9 on the way.

    The stream has forgotten everything. `read_again` are events that the second process was given although the first
    had applied them.
    """
    _answer(kinds.bootstrap(backlog.Plan(events, _hearing(reader)), runs), as_json=as_json)


@app.command()
def drain(events: Events = 1_000_000, reader: Reader = "sla", runs: Runs = 1, as_json: output.AsJson = False) -> None:
    """Measure how fast a reader that was away works off its stream, everybody else being stopped."""
    _answer(kinds.drain(backlog.Plan(events, _hearing(reader)), runs), as_json=as_json)


def _hearing(reader: str) -> str:
    known = sorted(name for name, one in installed_services().items() if LANE in one.hears)
    if reader not in known:
        raise misused(f"{reader} does not hear {LANE}. These do: {', '.join(known)}.")
    return reader


@app.command()
def tickets(
    seconds: Annotated[
        float, typer.Option(min=1, max=3600, help="How long full speed, and then 100/s, are measured in each run.")
    ] = 30.0,
    number: Annotated[int, typer.Option(min=1, max=10_000_000, help="Tickets there are while reads are measured.")] = (
        100_000
    ),
    runs: Runs = 3,
    as_json: output.AsJson = False,
) -> None:
    """Measure ticket commands over NATS while every service runs, and reads of chains and trackers.

    The mix: 40 % open a ticket, the others change it, give it tasks, link it to an issue, answer the customer or hear
    from him; 200 callers, each waiting for its answer.
    """
    _answer(kinds.tickets(seconds, number, runs), as_json=as_json)


@app.command()
def reply(
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long replies are posted in each run.")] = 15.0,
    rate: Annotated[float, typer.Option(min=1, max=200, help="Replies a second.")] = 20.0,
    size: Annotated[
        int, typer.Option(min=500, max=1_000_000, help="Mails that came before; a fifth of them can be answered.")
    ] = 5000,
    runs: Runs = 3,
    as_json: output.AsJson = False,
) -> None:
    """Measure an agent's reply by HTTP, posted to answered, at an even pace while every service runs."""
    _answer(kinds.reply(answering.Plan(rate, seconds, size), runs), as_json=as_json)


@app.command()
def inbox(
    size: Annotated[int, typer.Option(min=1000, max=10_000_000, help="Conversations there are in the end.")] = (
        1_000_000
    ),
    runs: Runs = 1,
    as_json: output.AsJson = False,
) -> None:
    """Measure the inbox's first page by HTTP, at 10,000 conversations and at very many.

    Three views: all by urgency, one agent's, all by receipt. One conversation of twenty is open, the others archived.
    """
    _answer(kinds.inbox(listing.Plan(size, min(size, listing.FEW)), runs), as_json=as_json)


@app.command()
def routing(
    size: Annotated[int, typer.Option(min=1, max=100_000, help="Keyword rules there are.")] = 1000,
    runs: Runs = 3,
    as_json: output.AsJson = False,
) -> None:
    """Measure the CPU time of one decision about an owner, among very many keyword rules.

    The routing service's own program does it, which a checkout has.
    """
    _answer(kinds.routing(size, runs), as_json=as_json)


@app.command()
def sla(
    size: Annotated[int, typer.Option(min=100, max=10_000_000, help="Clocks that run.")] = 100_000,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long clocks become due, 20 a second.")] = 20.0,
    runs: Runs = 1,
    as_json: output.AsJson = False,
) -> None:
    """Measure very many clocks on one process: computed anew from their events, and how late a due one is raised."""
    _answer(kinds.sla(clocks.Plan(size=size, seconds=seconds), runs), as_json=as_json)


@app.command("all")
def everything(
    quick: Annotated[
        bool, typer.Option("--quick", help="Once, briefly and with little data: whether it works, not how fast.")
    ] = False,
    as_json: output.AsJson = False,
) -> None:
    """Measure everything that can be measured, one after the other: one table, one JSON.

    What could not be measured is told, and the exit code is 1; the other figures are told all the same.
    """
    answers, missing = measured_all(kinds.quick() if quick else kinds.whole(), output.hint)
    if as_json:
        output.say_json(in_one(answers, missing))
    else:
        telling.tell_all(answers)
    if missing:
        for name, sentence in missing.items():
            output.hint(f"{name} could not be measured: {sentence}")
        raise typer.Exit(WRONG)


def _answer(measurement: Measurement, *, as_json: bool) -> None:
    answer = carry_out(repeated(measurement, output.hint))
    if as_json:
        output.say_json(answer)
    else:
        telling.tell(measurement.figures, answer)

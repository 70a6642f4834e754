"""`deskstream bench`: measurements, each with its bound and what the machine gives beside it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from deskstream.cli import output
from deskstream.cli.bench import backlog
from deskstream.cli.bench.pipeline import Plan, Progress, bench_pipeline
from deskstream.cli.bench.replicas import bench_replicas
from deskstream.cli.bench.starting import bench_start
from deskstream.cli.bench.tickets import bench_tickets
from deskstream.cli.execution import carry_out
from deskstream.cli.problem import misused
from deskstream.contracts.conversation import LANE
from deskstream.runtime.schemas import installed_services

app = typer.Typer(
    no_args_is_help=True,
    help="Measure what the machine gives and what the system makes of it. The servers let every service do anything: "
    "permissions are tried by `deskstream faults`, not measured here.",
)

Bounds = tuple[tuple[str, str, str], ...]

BOUNDS: Bounds = (
    ("inbound_per_s", "mails a second, published to visible in the inbox", "≥ 1,500"),
    ("cpu_ms_per_message", "CPU ms a mail, all processes together", "≤ 1.3"),
    ("ratio_to_raw", "share of what the raw figures of this run allow", "≥ 0.55"),
    ("handlings_per_message", "handlings a mail", "≤ 10.4"),
    ("events_per_message", "events a mail", "≤ 4.2"),
    ("p50_ms", "published to visible at rest, ms, p50", "≤ 15"),
    ("p99_ms", "published to visible at rest, ms, p99", "≤ 60"),
    ("half_p50_ms", "the same at half the ceiling, ms, p50", ""),
    ("half_p99_ms", "the same at half the ceiling, ms, p99", "≤ 250"),
    ("half_cpu_ms_per_message", "CPU ms a mail at half the ceiling", ""),
)

START_BOUNDS: Bounds = (
    ("first_start_s", "seconds until ready, in an empty folder", ""),
    ("start_s", "seconds until ready, with its data", "≤ 6"),
    ("memory_mb", "MB at rest, every service in one process", "≤ 180"),
    ("largest_service_mb", "MB at rest, the largest service in a process of its own", "≤ 80"),
)

BACKLOG_BOUNDS: Bounds = (
    ("events_per_s", "events a second, applied by one process", "≥ 5,000"),
    ("events", "events in all", ""),
    ("read_again", "events given to it once more after it was started anew", "≤ a page"),
    ("memory_mb", "MB, its process at most", ""),
)

Events = Annotated[int, typer.Option(min=5000, max=10_000_000, help="How many events the lane has.")]
Reader = Annotated[str, typer.Option(help="Which service reads: one that hears conversations.")]

REPLICA_BOUNDS: Bounds = (
    ("one_per_s", "mails a second, one of every service", ""),
    ("two_per_s", "mails a second, two of every service", ""),
    ("two_to_one", "two to one", "≥ 0.95"),
)

TICKET_BOUNDS: Bounds = (
    ("commands_per_s", "ticket commands a second, every service running", "≥ 1,000"),
    ("cpu_ms_per_command", "CPU ms a command, all processes together", ""),
    ("p50_ms", "answered at 100/s, ms, p50", ""),
    ("p99_ms", "answered at 100/s, ms, p99", "≤ 40"),
    ("chain_ms", "the whole chain of a ticket, ms, p50", "≤ 5"),
    ("tracker_ms", "a page of a tracker, ms, p50", "≤ 5"),
    ("handlings_per_command", "handlings a command", ""),
    ("ratio_to_raw", "share of what the raw figures of this run allow", ""),
)


@app.command()
def pipeline(
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long full speed is measured.")] = 60.0,
    calm_seconds: Annotated[float, typer.Option(min=1, max=600, help="How long latency at rest is measured.")] = 15.0,
    as_json: output.AsJson = False,
) -> None:
    """Measure the whole path: an adapter's publish to the mail visible in the inbox.

    The mix: 20 % new conversations, 80 % replies, 10,000 contacts; the services in two processes, on servers of their
    own. First the raw broker and database, so that figures of different machines can be compared by their ratio.
    """
    plan = Plan(seconds=seconds, calm_seconds=calm_seconds)
    figures = carry_out(bench_pipeline(plan, _progress(as_json=as_json)))
    if as_json:
        output.say_json(figures)
    else:
        _tell(figures)


@app.command()
def start(as_json: output.AsJson = False) -> None:
    """Measure how long `deskstream up` takes until it is ready, and its memory when there is nothing to do."""
    _answer(carry_out(bench_start(_progress(as_json=as_json))), START_BOUNDS, as_json=as_json)


@app.command()
def replicas(
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long each is measured.")] = 20.0,
    as_json: output.AsJson = False,
) -> None:
    """Measure the whole path with one and with two of every service."""
    _answer(carry_out(bench_replicas(seconds, _progress(as_json=as_json))), REPLICA_BOUNDS, as_json=as_json)


@app.command()
def bootstrap(
    events: Events = 1_000_000,
    reader: Reader = "sla",
    as_json: output.AsJson = False,
) -> None:
    """Measure how fast a new reader takes up a lane from the journal, killed with -9 on the way.

    The stream has forgotten everything. `read_again` are events that the second process was given although the first
    had applied them.
    """
    plan = backlog.Plan(events, _hearing(reader))
    _answer(carry_out(backlog.bench_bootstrap(plan, _progress(as_json=as_json))), BACKLOG_BOUNDS, as_json=as_json)


@app.command()
def drain(
    events: Events = 1_000_000,
    reader: Reader = "sla",
    as_json: output.AsJson = False,
) -> None:
    """Measure how fast a reader that was away works off its stream, everybody else being stopped."""
    plan = backlog.Plan(events, _hearing(reader))
    _answer(carry_out(backlog.bench_drain(plan, _progress(as_json=as_json))), BACKLOG_BOUNDS, as_json=as_json)


def _hearing(reader: str) -> str:
    known = sorted(name for name, one in installed_services().items() if LANE in one.hears)
    if reader not in known:
        raise misused(f"{reader} does not hear {LANE}. These do: {', '.join(known)}.")
    return reader


@app.command()
def tickets(
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long full speed is measured.")] = 30.0,
    number: Annotated[int, typer.Option(min=1, max=10_000_000, help="Tickets there are while reads are measured.")] = (
        100_000
    ),
    as_json: output.AsJson = False,
) -> None:
    """Measure ticket commands over NATS while every service runs, and reads of chains and trackers.

    The mix: 40 % open a ticket, the others change it, give it tasks, link it to an issue, answer the customer or hear
    from him; 200 callers, each waiting for its answer.
    """
    _answer(carry_out(bench_tickets(seconds, number, _progress(as_json=as_json))), TICKET_BOUNDS, as_json=as_json)


def _progress(*, as_json: bool) -> Progress:
    return (lambda _: None) if as_json else output.hint


def _answer(figures: dict[str, Any], bounds: Bounds, *, as_json: bool) -> None:
    if as_json:
        output.say_json(figures)
    else:
        _table(figures, bounds)


def _table(figures: dict[str, Any], bounds: Bounds) -> None:
    output.table(["figure", "measured", "must"], [[what, f"{figures[name]:,}", bound] for name, what, bound in bounds])


def _tell(figures: dict[str, Any]) -> None:
    _table(figures, BOUNDS)
    by_process = [[name, f"{ms} ms a mail"] for name, ms in figures["cpu_ms_by_process"].items()]
    output.table(["process", "CPU"], by_process)
    columns = ("handlings_per_message", "python_us_per_handling", "database_us_per_handling", "ms_per_message")
    parts = [[row["who"], *(f"{row.get(column, '')}" for column in columns)] for row in figures["made_of"]]
    output.table(["each alone", "handlings a mail", "µs in Python", "µs in the database", "ms a mail"], parts)
    output.table(["memory", "MB"], [[name, str(mb)] for name, mb in figures["memory_mb"].items()])
    output.table(["raw", ""], [[name, f"{value:,}"] for name, value in figures["raw"].items()])

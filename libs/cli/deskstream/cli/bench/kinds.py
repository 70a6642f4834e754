"""What can be measured, each with its bounds, and how long one run takes about."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from deskstream.cli.bench import backlog, bounds, clocks
from deskstream.cli.bench import inbox as listing
from deskstream.cli.bench import reply as answering
from deskstream.cli.bench.deciding import bench_routing
from deskstream.cli.bench.pipeline import Plan, bench_pipeline
from deskstream.cli.bench.repeating import Measurement
from deskstream.cli.bench.replicas import bench_replicas
from deskstream.cli.bench.starting import bench_start
from deskstream.cli.bench.tickets import bench_tickets


def pipeline(plan: Plan, runs: int) -> Measurement:
    """The whole path of a mail."""
    return Measurement(
        "pipeline", bounds.PIPELINE, "cpu_ms_per_message", partial(bench_pipeline, plan), plan.about_s, runs
    )


def start(runs: int) -> Measurement:
    """From nothing to ready, and memory at rest."""
    return Measurement("start", bounds.START, "start_s", bench_start, 35.0, runs)


def replicas(seconds: float, runs: int) -> Measurement:
    """One and two of every service."""
    return Measurement(
        "replicas", bounds.REPLICAS, "two_to_one", partial(bench_replicas, seconds), 2 * (seconds + 20), runs
    )


def bootstrap(plan: backlog.Plan, runs: int) -> Measurement:
    """A lane read from the journal."""
    return Measurement(
        "bootstrap", bounds.BACKLOG, "events_per_s", partial(backlog.bench_bootstrap, plan), plan.about_s, runs
    )


def drain(plan: backlog.Plan, runs: int) -> Measurement:
    """A lane read from its stream."""
    return Measurement("drain", bounds.BACKLOG, "events_per_s", partial(backlog.bench_drain, plan), plan.about_s, runs)


def tickets(seconds: float, number: int, runs: int) -> Measurement:
    """Ticket commands, chains and trackers."""
    run = partial(bench_tickets, seconds, number)
    return Measurement("tickets", bounds.TICKETS, "commands_per_s", run, seconds + 75, runs)


def reply(plan: answering.Plan, runs: int) -> Measurement:
    """An agent's reply by HTTP."""
    return Measurement("reply", bounds.REPLY, "p50_ms", partial(answering.bench_reply, plan), plan.about_s, runs)


def inbox(plan: listing.Plan, runs: int) -> Measurement:
    """The inbox's first page."""
    return Measurement("inbox", bounds.INBOX, "p50_ms", partial(listing.bench_inbox, plan), plan.about_s, runs)


def routing(rules: int, runs: int) -> Measurement:
    """A decision about an owner."""
    return Measurement("routing", bounds.ROUTING, "decision_us", partial(bench_routing, rules), 10.0, runs)


def sla(plan: clocks.Plan, runs: int) -> Measurement:
    """Clocks that run on one process."""
    return Measurement("sla", bounds.SLA, "recompute_s", partial(clocks.bench_sla, plan), plan.about_s, runs)


def whole() -> Sequence[Measurement]:
    """Everything, on data of the size that the bounds ask for."""
    million = backlog.Plan(1_000_000, "sla")
    return [
        pipeline(Plan(seconds=20.0), 3),
        tickets(30.0, 100_000, 3),
        reply(answering.Plan(), 3),
        routing(1000, 3),
        start(3),
        replicas(20.0, 3),
        sla(clocks.Plan(), 1),
        inbox(listing.Plan(), 1),
        drain(million, 1),
        bootstrap(million, 1),
    ]


def quick() -> Sequence[Measurement]:
    """Everything once, briefly and with little data."""
    few = backlog.Plan(10_000, "sla")
    return [
        pipeline(Plan(seconds=3.0, calm_seconds=2.0, apart_seconds=2.0), 1),
        tickets(2.0, 2000, 1),
        reply(answering.Plan(seconds=3.0, mails=1000), 1),
        routing(1000, 1),
        start(1),
        replicas(2.0, 1),
        sla(clocks.Plan(size=3000, seconds=3.0), 1),
        inbox(listing.Plan(size=20_000, few=2000), 1),
        drain(few, 1),
        bootstrap(few, 1),
    ]

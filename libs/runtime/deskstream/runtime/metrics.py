"""Prometheus metrics of the services in this process: their own plain numbers, read when somebody asks for them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from deskstream.messaging.backlog import Backlog, Look
from deskstream.messaging.declare import Figure
from deskstream.messaging.figures import Histogram
from deskstream.messaging.service import RunningService
from deskstream.runtime.health import Health

PREFIX = "deskstream_"
# Looking asks both servers: nobody may make us do that more often, however many ask.
_PAGE_KEPT = 1.0
_LOOK_WITHIN = 8.0

Labelled = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True, slots=True)
class Seen:
    """One service, and what it answered."""

    name: str
    service: RunningService
    look: Look
    ready: bool


class Metrics(Collector):
    """`services` are those of this process, by name; they may come and go."""

    def __init__(self, health: Health) -> None:
        self.services: dict[str, RunningService] = {}
        self._health = health
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        self._one_at_a_time = threading.Lock()
        self._page: tuple[float, bytes] | None = None

    def page(self) -> tuple[str, bytes]:
        """All metrics as text, for the path `/metrics`."""
        with self._one_at_a_time:
            if self._page is None or time.monotonic() - self._page[0] >= _PAGE_KEPT:
                content = generate_latest(self._registry)
                self._page = time.monotonic(), content
            return CONTENT_TYPE_LATEST, self._page[1]

    def describe(self) -> Iterable[Metric]:
        """Nothing: what there is depends on the services, which are not here yet."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Reads everything. What cannot be had, because a server does not answer, is left out and told."""
        yield _gauge("loop_stalled_seconds", "Since the event loop last turned.", (), [((), self._health.stalled_for)])
        seen = self._seen()
        yield from _counted(seen)
        yield from _distributions(seen)
        yield from _waiting(seen)
        yield from _own(seen)

    def _seen(self) -> list[Seen]:
        services = dict(self.services)
        if not services:
            return []
        wrong = self._health.ready_from_outside()
        looks = self._health.from_outside(_look_at(services), within=_LOOK_WITHIN)
        nothing = Look(None, None, None)
        return [
            Seen(name, service, looks[name] if looks else nothing, not {name, "event loop", "start"} & wrong.keys())
            for name, service in services.items()
        ]


async def _look_at(services: Mapping[str, RunningService]) -> dict[str, Look]:
    looks = await asyncio.gather(*(service.look() for service in services.values()))
    return dict(zip(services, looks, strict=True))


def _counted(seen: list[Seen]) -> Iterator[Metric]:
    yield _counter(
        "received", "Messages that streams and journals brought, by lane.", ("service", "lane"),
        (((one.name, lane), n) for one in seen for lane, n in one.service.figures.received.copy().items()),
    )  # fmt: skip
    yield _counter(
        "handled", "What became of messages, commands and timers.", ("service", "lane", "fate"),
        (((one.name, *key), n) for one in seen for key, n in one.service.figures.handled.copy().items()),
    )  # fmt: skip
    yield _counter(
        "commands", "Commands answered: ok, refused, unavailable, failed.", ("service", "command", "answer"),
        (((one.name, *key), n) for one in seen for key, n in one.service.figures.commands.copy().items()),
    )  # fmt: skip
    yield _counter(
        "sends", "What became of tries to send.", ("service", "lane", "outcome"),
        (((one.name, *key), n) for one in seen for key, n in one.service.figures.sends.copy().items()),
    )  # fmt: skip
    yield _per_service(seen, "postponed", "Messages given back to the broker: the world was unwell.",
                       {one.name: one.service.figures.postponed for one in seen})  # fmt: skip
    yield _per_service(seen, "denied", "Publishes and subscriptions that the broker denied.",
                       {one.name: one.service.figures.denied for one in seen})  # fmt: skip
    yield _per_service(seen, "published", "Events that the broker acknowledged.",
                       {one.name: one.service.publisher.acknowledged for one in seen})  # fmt: skip
    yield _per_service(seen, "publish_refused", "Events that the broker refused to take.",
                       {one.name: one.service.publisher.refused for one in seen})  # fmt: skip
    yield _per_service(seen, "publish_postponed", "Events that could not be sent at once: there was no connection.",
                       {one.name: one.service.publisher.postponed for one in seen})  # fmt: skip


def _distributions(seen: list[Seen]) -> Iterator[Metric]:
    yield _histogram("batch_size", "Messages handled in one transaction.",
                     {one.name: one.service.figures.batch_sizes for one in seen})  # fmt: skip
    yield _histogram("batch_seconds", "How long a batch's transaction, publishing and acknowledging took.",
                     {one.name: one.service.figures.batch_seconds for one in seen})  # fmt: skip
    yield _histogram("event_age_seconds", "How old the first event of a batch was when it was handled.",
                     {one.name: one.service.figures.ages for one in seen})  # fmt: skip
    yield _histogram("command_seconds", "From a command's arrival to its answer, after the commit.",
                     {one.name: one.service.figures.command_seconds for one in seen})  # fmt: skip


def _waiting(seen: list[Seen]) -> Iterator[Metric]:
    yield _gauge("ready", "1 when a write, a publish and the own lag are fine.", ("service",),
                 (((one.name,), float(one.ready)) for one in seen))  # fmt: skip
    yield _gauge("unseen", "1 when tables, durables or own figures could not be looked at.", ("service", "what"),
                 (((one.name, what), float(getattr(one.look, what) is None))
                  for one in seen for what in ("backlog", "lags", "own")))  # fmt: skip
    yield _gauge("lag_messages", "Messages that a reader has not acknowledged.", ("service", "lane"),
                 (((one.name, lane), n) for one in seen for lane, n in (one.look.lags or {}).items()))  # fmt: skip
    yield _gauge("inbox_messages", "Messages in memory, taken in and not yet handled.", ("service",),
                 (((one.name,), one.service.runner.backlog) for one in seen))  # fmt: skip
    yield _gauge("unacknowledged", "Events published and not yet acknowledged.", ("service",),
                 (((one.name,), one.service.publisher.unacknowledged) for one in seen))  # fmt: skip
    known = {one.name: one.look.backlog for one in seen if one.look.backlog is not None}
    yield from _tables(known)


def _tables(known: Mapping[str, Backlog]) -> Iterator[Metric]:
    def each(name: str, meaning: str, value: Mapping[str, float]) -> Metric:
        return _gauge(name, meaning, ("service",), (((service,), number) for service, number in value.items()))

    yield _gauge(
        "waiting", "Rows of the waiting table: waiting for an earlier one, failing, dead.", ("service", "state"),
        (((name, state), getattr(found.letters, state)) for name, found in known.items()
         for state in ("waiting", "failing", "dead")),
    )  # fmt: skip
    yield _gauge(
        "sends_waiting", "What is to leave: queued, being sent, of unknown fate.", ("service", "state"),
        (((name, state), found.sends.get(state, 0)) for name, found in known.items()
         for state in ("queued", "sending", "unknown")),
    )  # fmt: skip
    yield each("blocked_keys", "Objects that a failing message holds up.",
               {name: found.letters.blocked_keys for name, found in known.items()})  # fmt: skip
    yield each("gap_oldest_seconds", "How long the longest gap has been waited for.",
               {name: found.gap_for.total_seconds() for name, found in known.items()})  # fmt: skip
    yield each("unpublished", "Events said that the broker has not acknowledged.",
               {name: found.unpublished for name, found in known.items()})  # fmt: skip
    yield each("unpublished_oldest_seconds", "Since the oldest of them was said.",
               {name: found.unpublished_for.total_seconds() for name, found in known.items()})  # fmt: skip
    yield each("timers_due", "Timers, such as clocks of promises, that are due and were not fired.",
               {name: found.timers_due for name, found in known.items()})  # fmt: skip
    yield each("timers_late_seconds", "How late the latest of them is.",
               {name: found.timers_late.total_seconds() for name, found in known.items()})  # fmt: skip
    yield each("sends_oldest_seconds", "Since the oldest message that is to leave was queued.",
               {name: found.sends_oldest.total_seconds() for name, found in known.items()})  # fmt: skip


def _own(seen: list[Seen]) -> Iterator[Metric]:
    families: dict[str, CounterMetricFamily] = {}
    for one in seen:
        for figure in one.look.own or ():
            family = families.setdefault(figure.name, _empty(figure))
            family.add_metric([one.name, *figure.labels.values()], figure.value)
    yield from families.values()


def _empty(figure: Figure) -> CounterMetricFamily:
    return CounterMetricFamily(f"{PREFIX}{figure.name}", figure.meaning, labels=["service", *figure.labels])


def _per_service(seen: list[Seen], name: str, meaning: str, values: Mapping[str, float]) -> Metric:
    return _counter(name, meaning, ("service",), (((one.name,), values[one.name]) for one in seen))


def _counter(name: str, meaning: str, labels: tuple[str, ...], values: Labelled) -> Metric:
    family = CounterMetricFamily(f"{PREFIX}{name}", meaning, labels=labels)
    for given, value in values:
        family.add_metric([str(label) for label in given], value)
    return family


def _gauge(name: str, meaning: str, labels: tuple[str, ...], values: Labelled) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}{name}", meaning, labels=labels)
    for given, value in values:
        family.add_metric([str(label) for label in given], value)
    return family


def _histogram(name: str, meaning: str, values: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(f"{PREFIX}{name}", meaning, labels=("service",))
    for service, histogram in values.items():
        buckets, total = list[tuple[str, float]](), 0
        for bound, count in zip((*map(str, histogram.bounds), "+Inf"), list(histogram.counts), strict=True):
            total += count
            buckets.append((bound, total))
        family.add_metric([service], buckets=buckets, sum_value=histogram.sum)
    return family

"""OpenTelemetry: the spans of the services in this process, sent by OTLP over HTTP.

Imported only where spans are wanted: the libraries take 6 MB and a seventh of a second.
Names of attributes: OpenTelemetry's semantic conventions for messaging; `deskstream.*` is ours.
"""

from __future__ import annotations

import random

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)
from opentelemetry.trace import Span as OpenTelemetrySpan

from deskstream.messaging.item import RAW_TYPE, Fate, Item, Source
from deskstream.messaging.sends import Send
from deskstream.messaging.tracing import Tracer

_EXPORT_WITHIN_S = 5.0
_STOP_WITHIN_MS = 5000
_BEGINS = {Source.COMMAND, Source.TIMER}
_GONE_WRONG = {Fate.FAILED, Fate.DEAD, "failed", "unknown", "postponed"}


class Telemetry:
    """One exporter for all services of the process, each of which is a service of its own in what is sent."""

    def __init__(self, url: str, ratio: float) -> None:
        exporter = OTLPSpanExporter(endpoint=url, timeout=_EXPORT_WITHIN_S)
        self._processor = BatchSpanProcessor(exporter, schedule_delay_millis=1000)
        self._ratio = ratio

    def tracer_of(self, service: str) -> Tracer:
        """Makes this service's spans."""
        provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource.create({"service.name": service, "service.namespace": "deskstream"}),
            shutdown_on_exit=False,
        )
        provider.add_span_processor(self._processor)
        return _Tracer(service, provider, self._ratio)

    def stop(self) -> None:
        """Sends what is left. May take seconds: not for the event loop."""
        self._processor.force_flush(_STOP_WITHIN_MS)
        self._processor.shutdown()  # type: ignore[no-untyped-call]


class _Tracer:
    def __init__(self, service: str, provider: TracerProvider, ratio: float) -> None:
        self._service = service
        self._tracer = provider.get_tracer("deskstream.messaging")
        self._ratio = ratio

    def begin(self, item: Item, context: str | None) -> _Following | None:
        """Follows what its sender followed, and a share of what begins here."""
        if context is None and not self._chosen(item):
            return None
        about: dict[str, str | int] = {
            "messaging.system": "nats",
            "messaging.operation.type": "process",
            "messaging.destination.name": item.lane,
            "messaging.message.id": str(item.id or item.idempotency_key),
            "messaging.message.body.size": len(item.body),
            "deskstream.service": self._service,
            "deskstream.event": item.type,
            "deskstream.key": item.key,
            "deskstream.sequence": item.sequence,
        }
        if item.heard is not None:
            about["messaging.message.conversation_id"] = str(item.heard.correlation)
        return self._follow(f"process {item.type}", SpanKind.CONSUMER, context, about)

    def send(self, send: Send, context: str | None) -> _Following | None:
        """Follows to the provider what was followed until here."""
        if context is None:
            return None
        about: dict[str, str | int] = {
            "deskstream.service": self._service,
            "deskstream.event": send.type,
            "deskstream.key": send.key,
            "messaging.message.conversation_id": str(send.correlation),
        }
        return self._follow(f"send {send.lane}", SpanKind.CLIENT, context, about)

    def _chosen(self, item: Item) -> bool:
        """Only what no service of ours said begins a trace: an event without one was not chosen when it began."""
        begins = item.source in _BEGINS or item.type == RAW_TYPE
        return begins and random.random() < self._ratio

    def _follow(self, name: str, kind: SpanKind, context: str | None, about: dict[str, str | int]) -> _Following | None:
        parent = _parent(context)
        if parent is not None and not parent.trace_flags.sampled:
            return None
        around = set_span_in_context(NonRecordingSpan(parent)) if parent is not None else None
        return _Following(self._tracer.start_span(name, context=around, kind=kind, attributes=about))


class _Following:
    """A span that is open."""

    def __init__(self, span: OpenTelemetrySpan) -> None:
        self._span = span
        found = span.get_span_context()
        self.context = f"00-{format_trace_id(found.trace_id)}-{format_span_id(found.span_id)}-01"

    def end(self, outcome: str, **about: str | int | float) -> None:
        """Closes it."""
        self._span.set_attribute("deskstream.outcome", outcome)
        for name, value in about.items():
            self._span.set_attribute(f"deskstream.{name}", value)
        if outcome in _GONE_WRONG:
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


def _parent(context: str | None) -> SpanContext | None:
    if context is None:
        return None
    _, trace_id, span_id, flags = context.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))

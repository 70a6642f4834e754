"""A collector of spans for tests: takes OTLP over HTTP, as a real one does, and keeps what came."""

import gzip
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Collected:
    """One span, as it was sent."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    about: dict[str, object]
    wrong: bool


class Collector:
    """Listens on a port of its own from `start` to `stop`."""

    def __init__(self) -> None:
        self.spans: list[Collected] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.take(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1/traces"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            service = _about(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [_collected(str(service), span) for span in scope.spans]

    def of(self, service: str) -> list[Collected]:
        return [span for span in self.spans if span.service == service]


def _collected(service, span) -> Collected:  # type: ignore[no-untyped-def]
    return Collected(
        service=service,
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        about=_about(span.attributes),
        wrong=span.status.code == 2,
    )


def _about(attributes) -> dict[str, object]:  # type: ignore[no-untyped-def]
    return {found.key: getattr(found.value, found.value.WhichOneof("value")) for found in attributes}

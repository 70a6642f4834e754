"""What this process says about itself: one JSON object a line on stdout, readable colours on a terminal."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["auto", "json", "console"]

# Fields that hold what people wrote, who they are, or what opens doors.
_WRITTEN = {"authorization", "bodies", "body", "content", "cookie", "headers", "html", "raw", "text"}
_PERSONAL = {"email", "from_address", "to_address", "phone", "sender"}
_SECRET = {"api_key", "password", "secret", "seed", "token"}
_NEVER_LOGGED = _WRITTEN | _PERSONAL | _SECRET
# asyncpg adds the row that broke a constraint.
_DETAIL = re.compile(r"^DETAIL: .*$", re.MULTILINE)


def configure_logging(log_format: LogFormat = "auto", *, level: str = "info") -> None:
    """Set up structlog and the standard library's logging, once per process.

    Ours is heard from `level` on, everybody else's from WARNING on. Fields that hold bodies, addresses or secrets are
    replaced by "[redacted]"; tracebacks come without the values of variables.
    """
    console = log_format == "console" or (log_format == "auto" and sys.stdout.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_formatter(console=console, shared=shared))
    _route_everything_to(handler, level.upper())


def redact(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    """A structlog processor: what must not be logged is replaced, also inside nested mappings."""
    return _redacted(fields)


def _redacted(fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in fields.items():
        if name.lower() in _NEVER_LOGGED:
            fields[name] = "[redacted]"
        elif isinstance(value, dict):
            fields[name] = _redacted(dict(value))
        elif isinstance(value, bytes | bytearray | memoryview):
            fields[name] = f"[{len(value)} bytes]"
    return fields


def _formatter(*, console: bool, shared: list[Processor]) -> logging.Formatter:
    renderer: Processor = structlog.processors.JSONRenderer()
    if console:
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _without_details,
            renderer,
        ],
    )


def _without_details(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    if isinstance(exception := fields.get("exception"), str):
        fields["exception"] = _DETAIL.sub("DETAIL: [redacted]", exception)
    return fields


def _route_everything_to(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("deskstream").setLevel(level)
    # Uvicorn brings handlers of its own; its errors shall come out like all others.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.captureWarnings(True)

"""The W3C trace context: how a message says to which trace it belongs.

Source: W3C Trace Context level 1, §3.2 (traceparent); CloudEvents 1.0.2, distributed tracing extension.
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

HEADER: Final = "traceparent"

# Version ff and ids of zeros are invalid.
_VALID: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


_CALLER: ContextVar[str | None] = ContextVar("caller", default=None)


def follow_caller(context: str | None) -> None:
    """What the current task asks other services from here on belongs to its caller's trace."""
    _CALLER.set(valid_context(context))


def callers_context() -> str | None:
    """The trace that the current task belongs to, if its caller said so."""
    return _CALLER.get()


def context_in(headers: Mapping[str, Any]) -> str | None:
    """The trace context that headers name; None where there is none, or one that is wrong."""
    return valid_context(headers.get(HEADER) or headers.get("Traceparent"))


def valid_context(given: object) -> str | None:
    """What was given, if it is a trace context that may be passed on."""
    return given if isinstance(given, str) and _VALID.fullmatch(given) else None

"""Every error as RFC 9457 problem details, `application/problem+json`."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import asyncpg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic_core import ErrorDetails, to_json
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = {"Retry-After": "1"}

log = structlog.get_logger()


class ProblemDetails(BaseModel):
    """What every error looks like."""

    type: str
    """`urn:deskstream:problem:<code>`."""
    title: str
    status: int
    code: str
    """A stable word that programs compare."""
    detail: str
    """A sentence that says what is wrong and what to do instead."""
    details: dict[str, Any] = {}
    """What a screen needs to show the way out."""


class HttpProblem(Exception):
    """A request that gets an error; raised anywhere on its way."""

    def __init__(self, status: HTTPStatus, code: str, sentence: str, **details: object) -> None:
        super().__init__(f"{code}: {sentence}")
        self.status = status
        self.code = code
        self.sentence = sentence
        self.details = details


def problem(error: HttpProblem, headers: Mapping[str, str] | None = None) -> Response:
    """The answer for an error."""
    content = ProblemDetails(
        type=f"urn:deskstream:problem:{error.code}",
        title=error.status.phrase,
        status=error.status,
        code=error.code,
        detail=error.sentence,
        details=error.details,
    )
    return Response(to_json(content), error.status, headers, MEDIA_TYPE)


def add_problems(app: FastAPI) -> None:
    """Makes `app` answer every error this way."""
    app.add_exception_handler(HttpProblem, _raised)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _of_framework)
    for unwell in (
        TimeoutError,
        OSError,
        asyncpg.PostgresConnectionError,
        asyncpg.OperatorInterventionError,
        asyncpg.InsufficientResourcesError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
    ):
        app.add_exception_handler(unwell, _unwell)
    app.add_exception_handler(Exception, _ours)


def validation_problem(errors: "Sequence[ErrorDetails | dict[str, Any]]", status: HTTPStatus) -> HttpProblem:
    """Which fields are wrong, and why; never their values."""
    wrong = [{"field": ".".join(str(step) for step in error["loc"]), "reason": error["msg"]} for error in errors]
    first = wrong[0]
    sentence = f"{first['field'] or 'body'}: {first['reason']}"
    return HttpProblem(status, "invalid", sentence, errors=wrong)


async def _raised(request: Request, error: Exception) -> Response:
    assert isinstance(error, HttpProblem)
    headers: dict[str, str] = {}
    if error.status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers |= RETRY_AFTER
    if error.status in (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT):
        # The server would read on, and throw away, for as long as the other side sends.
        headers["Connection"] = "close"
    return problem(error, headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Bodies are read by `documents`; what the framework finds wrong is the query or a header.
    wrong = [found | {"loc": found["loc"][1:]} for found in error.errors()]
    return problem(validation_problem(wrong, HTTPStatus.BAD_REQUEST))


async def _of_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    found = HttpProblem(status, status.phrase.lower().replace(" ", "_"), f"{request.method} {request.url.path}")
    return problem(found, error.headers)


async def _unwell(request: Request, error: Exception) -> Response:
    log.warning("request_unanswered", path=request.url.path, reason=f"{type(error).__name__}: {error}")
    found = HttpProblem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        "Something behind this API does not answer. Try again; a command with the same Idempotency-Key runs once.",
    )
    return problem(found, RETRY_AFTER)


async def _ours(request: Request, error: Exception) -> Response:
    # The server logs what was raised.
    return problem(
        HttpProblem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "This failed on our side; it is logged.")
    )

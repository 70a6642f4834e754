"""Reading a request's body: JSON that means the same to every reader, within limits."""

import asyncio
import json
import math
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import Request
from pydantic import ValidationError
from pydantic.json_schema import models_json_schema

from deskstream.contracts import Contract
from deskstream.gateway.api.problems import HttpProblem, validation_problem

C = TypeVar("C", bound=Contract)

_REFERENCE = "#/components/schemas/{model}"

BODY_LIMIT = 1024 * 1024
WITHIN_S = 10.0
"""Seconds for a body to arrive: until then it takes the place of somebody else's command."""
DEPTH_LIMIT = 32
# What PostgreSQL, JSON readers in other languages and our own counters hold.
INTEGER_LIMIT = 2**63


async def document(request: Request, *, within: float = WITHIN_S) -> dict[str, Any]:
    """The JSON object that a request brings; an empty body is an empty object.

    Raises `HttpProblem`: 408 when it takes longer than `within` seconds, 413 over 1 MiB, 415 for another media type,
    400 for what is no JSON, says a key twice, is nested too deep, or holds numbers or characters that cannot be kept.
    """
    try:
        async with asyncio.timeout(within):
            body = await _read(request)
    except TimeoutError:
        sentence = f"The body did not arrive within {within:g} s. Try again."
        raise HttpProblem(HTTPStatus.REQUEST_TIMEOUT, "too_slow", sentence) from None
    if not body:
        return {}
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HttpProblem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not_json", "Send Content-Type: application/json.")
    found = _parsed(body)
    if not isinstance(found, dict):
        raise _bad("The body must be a JSON object.")
    _check(found)
    return found


def asked(kind: type[C], fields: dict[str, Any], given: dict[str, Any]) -> C:
    """The message that `fields` of a body and what the address and the caller `given` make.

    Raises `HttpProblem` 422 for an unknown field, at any depth, and for a wrong or missing one.
    """
    try:
        if fields.keys() & given.keys():
            sentence = "Leave it out: the address, or who calls, says it"
            wrong = [{"loc": (name,), "msg": sentence} for name in fields if name in given]
            raise validation_problem(wrong, HTTPStatus.UNPROCESSABLE_ENTITY)
        return kind.model_validate(fields | given, extra="forbid")
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise validation_problem(found, HTTPStatus.UNPROCESSABLE_ENTITY) from error


def schema_of(kind: type[Contract]) -> dict[str, Any]:
    """A reference to how a body for `kind` looks; `schemas_of` has what it refers to."""
    return reference_to(kind.__name__)


def reference_to(name: str) -> dict[str, Any]:
    """A reference to a schema of the OpenAPI document."""
    return {"$ref": _REFERENCE.format(model=name)}


def schemas_of(kinds: Iterable[type[Contract]], given: frozenset[str]) -> dict[str, Any]:
    """JSON Schemas by name, without the fields that the address or the caller gives."""
    _, defined = models_json_schema([(kind, "validation") for kind in kinds], ref_template=_REFERENCE)
    schemas: dict[str, Any] = defined["$defs"]
    for kind in kinds:
        schema = schemas[kind.__name__]
        schema["properties"] = {name: found for name, found in schema["properties"].items() if name not in given}
        schema["required"] = [name for name in schema.get("required", []) if name not in given]
        schema["additionalProperties"] = False
    return schemas


async def _read(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_LIMIT:
            raise HttpProblem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", "A body may have 1 MiB.")
        parts.append(part)
    return b"".join(parts)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(
            body.decode(),
            object_pairs_hook=_each_key_once,
            parse_constant=_no_number,
            parse_float=_float,
            parse_int=_integer,
        )
    except RecursionError as error:
        raise _too_deep() from error
    except UnicodeDecodeError as error:
        raise _bad("The body is not UTF-8.") from error
    except ValueError as error:
        raise _bad(f"The body is not JSON: {error}.") from error


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _bad("The body says a key twice.")
    return found


def _no_number(text: str) -> Any:
    raise _bad(f"{text} is no JSON number.")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _bad("A number is too large.")
    return value


def _integer(text: str) -> int:
    if len(text) > 20 or not -INTEGER_LIMIT <= (value := int(text)) < INTEGER_LIMIT:
        raise _bad("A number is too large.")
    return value


def _check(found: dict[str, Any]) -> None:
    """Level by level, so that depth costs no stack."""
    level: list[Any] = [found]
    for _ in range(DEPTH_LIMIT):
        parts = [part for value in level for part in _parts(value)]
        _check_texts(part for part in parts if isinstance(part, str))
        level = [part for part in parts if isinstance(part, (dict, list))]
        if not level:
            return
    raise _too_deep()


def _parts(value: dict[str, Any] | list[Any]) -> list[Any]:
    return [*value, *value.values()] if isinstance(value, dict) else value


def _check_texts(texts: Iterable[str]) -> None:
    # PostgreSQL keeps no NUL, UTF-8 has no half of a surrogate pair; the only texts that cannot be kept.
    try:
        if b"\0" in "".join(texts).encode():
            raise _bad("A text holds a NUL character.")
    except UnicodeEncodeError as error:
        raise _bad("A text holds half of a surrogate pair.") from error


def _too_deep() -> HttpProblem:
    return _bad(f"The body is nested deeper than {DEPTH_LIMIT} levels.")


def _bad(sentence: str) -> HttpProblem:
    return HttpProblem(HTTPStatus.BAD_REQUEST, "bad_json", sentence)

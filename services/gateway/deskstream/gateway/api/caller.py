"""Who asks. The one dependency that a login replaces: it turns credentials into a `Caller`, or into 401."""

import hmac
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPBearer

from deskstream.contracts.ids import AgentId
from deskstream.gateway.api.context import Context, context
from deskstream.gateway.api.problems import HttpProblem

_AGENT = re.compile(r"[a-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who may use this API."""

    agent: AgentId | None
    """In whose name; None for a program that only reads."""


# These two only describe themselves in the OpenAPI document; `caller` reads the headers.
_bearer = HTTPBearer(auto_error=False, description="DESKSTREAM_GATEWAY_TOKEN")
_agent = APIKeyHeader(name="X-Agent", auto_error=False, description="The agent in whose name, e.g. anna")


def caller(
    request: Request,
    here: Annotated[Context, Depends(context)],
    bearer: Annotated[object, Depends(_bearer)],
    agent: Annotated[object, Depends(_agent)],
) -> Caller:
    """Raises `HttpProblem`: 401 without the token, 400 for a name that no agent can have."""
    shown = request.headers.get("authorization", "").encode()
    if not hmac.compare_digest(shown, b"Bearer " + here.token):
        raise HttpProblem(HTTPStatus.UNAUTHORIZED, "unauthorized", "Send Authorization: Bearer <token>.")
    name = request.headers.get("x-agent")
    if name is not None and not _AGENT.fullmatch(name):
        raise HttpProblem(HTTPStatus.BAD_REQUEST, "bad_agent", "X-Agent is the handle of an agent, like anna.")
    return Caller(AgentId(name) if name else None)


def author(found: Annotated[Caller, Depends(caller)]) -> AgentId:
    """In whose name a command runs; 400 when nobody was named."""
    if found.agent is None:
        raise HttpProblem(HTTPStatus.BAD_REQUEST, "agent_missing", "Say in whose name: X-Agent: anna.")
    return found.agent

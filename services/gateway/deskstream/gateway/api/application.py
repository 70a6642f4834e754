"""The HTTP application: routes, errors, headers, and the OpenAPI document that describes them."""

from functools import cache
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Response
from fastapi.openapi.utils import get_openapi
from starlette.datastructures import Headers as RequestHeaders
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deskstream.gateway.api import (
    attachments,
    bulk,
    chains,
    commands,
    lists,
    openings,
    pages,
    stream,
    tickets,
    work_commands,
    work_lists,
    work_pages,
)
from deskstream.gateway.api.context import Context, context
from deskstream.gateway.api.crowd import Crowd
from deskstream.gateway.api.documents import schemas_of
from deskstream.gateway.api.problems import MEDIA_TYPE, ProblemDetails, add_problems
from deskstream.messaging import follow_caller

_ROOMS = (
    lists,
    pages,
    commands,
    attachments,
    stream,
    tickets,
    work_lists,
    work_pages,
    work_commands,
    openings,
    bulk,
    chains,
)

_HEADERS = {
    # What agents see is theirs alone, and never a page or a script of its own.
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Headers:
    """Adds to every answer what keeps a browser from doing more than show it; goes on with its caller's trace."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            follow_caller(RequestHeaders(scope=scope).get("traceparent"))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def application(here: Context) -> FastAPI:
    """The application around what it works with."""
    # The documentation pages that come with FastAPI load their scripts from elsewhere; the document itself suffices.
    app = FastAPI(
        title="Deskstream",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
    )
    app.state.context = here
    app.add_middleware(Crowd)
    app.add_middleware(Headers)
    add_problems(app)
    app.add_api_route("/api/health", health, methods=["GET"], summary="Whether this process can answer")
    for room in _ROOMS:
        app.include_router(room.router)
    app.openapi = cache(lambda: _openapi(app))  # type: ignore[method-assign]
    return app


async def health(here: Annotated[Context, Depends(context)]) -> Response:
    """Asks the database; when that does not answer, this answers 503."""
    async with here.running.pool.acquire(timeout=2) as tx:
        await tx.fetchval("SELECT 1", timeout=2)
    return Response('{"status":"pass"}', HTTPStatus.OK, media_type="application/health+json")


def _openapi(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    kinds = {offer.kind for offer in commands.OFFERS}
    schemas |= schemas_of(sorted(kinds, key=lambda kind: kind.__name__), commands.GIVEN)
    for kind, given in work_commands.BODIES.items():
        schemas |= schemas_of([kind], given)
    schemas |= openings.schemas() | bulk.schemas()
    schemas["ProblemDetails"] = ProblemDetails.model_json_schema()
    failed = {
        "description": "What went wrong",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            # Queries are checked by the framework, but answered as problems too.
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = failed
    return document

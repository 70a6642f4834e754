"""POST and GET /api/attachments: files too large to travel in a message, for adapters and for replies."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel

from deskstream import blobs
from deskstream.blobs import Blob
from deskstream.gateway.api.caller import caller
from deskstream.gateway.api.context import Context, context
from deskstream.gateway.api.problems import HttpProblem
from deskstream.gateway.store.reading import PATIENCE

LIMIT: Final = 20 * 1024 * 1024
"""Bytes of one file: what an attachment of a message may have."""
AT_ONCE: Final = 8
"""Uploads at a time in one process; each is held in memory."""
WITHIN_S: Final = 60.0

router = APIRouter(dependencies=[Depends(caller)])

_room = asyncio.Semaphore(AT_ONCE)


class Stored(BaseModel):
    """A file that is kept; a message names it by `sha256`."""

    sha256: str
    size: int
    media_type: str


@router.post(
    "/api/attachments",
    status_code=HTTPStatus.CREATED,
    response_model=Stored,
    summary="Store a file: its bytes are the body",
    openapi_extra={"requestBody": {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def store_attachment(request: Request, here: Annotated[Context, Depends(context)]) -> Stored:
    """The same bytes again are the same file. A file that no message names is nobody's."""
    if _room.locked():
        sentence = f"{AT_ONCE} files are being uploaded just now. Try again."
        raise HttpProblem(HTTPStatus.SERVICE_UNAVAILABLE, "too_many_uploads", sentence)
    async with _room:
        blob = Blob.of(await _body(request), request.headers.get("content-type", "application/octet-stream"))
        async with here.running.pool.acquire(timeout=PATIENCE) as tx:
            await blobs.write(tx, [blob])
    return Stored(sha256=blob.sha256, size=blob.size, media_type=blob.media_type)


@router.get("/api/attachments/{sha256}", response_class=Response, summary="A file as it was stored")
async def read_attachment(
    sha256: Annotated[str, Path(max_length=64)], here: Annotated[Context, Depends(context)]
) -> Response:
    """Always as a download: a file that somebody sent never runs in an agent's browser."""
    async with here.running.pool.acquire(timeout=PATIENCE) as tx:
        blob = await blobs.read(tx, sha256)
    if blob is None:
        raise HttpProblem(HTTPStatus.NOT_FOUND, "unknown_attachment", "There is no such file.")
    headers = {"Content-Disposition": f'attachment; filename="{sha256}"'}
    return Response(blob.body, media_type=blob.media_type, headers=headers)


async def _body(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(WITHIN_S):
            async for part in request.stream():
                size += len(part)
                if size > LIMIT:
                    sentence = "A file may have 20 MiB. Send a link instead, or split it."
                    raise HttpProblem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", sentence, limit=LIMIT)
                parts.append(part)
    except TimeoutError:
        sentence = f"The file did not arrive within {WITHIN_S:g} s. Try again."
        raise HttpProblem(HTTPStatus.REQUEST_TIMEOUT, "too_slow", sentence) from None
    if not size:
        raise HttpProblem(HTTPStatus.BAD_REQUEST, "empty_file", "The body is the file, and it is empty.")
    return b"".join(parts)

"""POST and GET /api/attachments: files too large to travel in a message, for adapters and for replies."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from deskstream import blobs
from deskstream.blobs import Blob, Piece
from deskstream.gateway.api.caller import caller
from deskstream.gateway.api.context import Context, context
from deskstream.gateway.api.problems import HttpProblem
from deskstream.gateway.store.reading import PATIENCE

LIMIT: Final = 20 * 1024 * 1024
"""Bytes of one file: what an attachment of a message may have."""
PIECE: Final = 1024 * 1024
"""Bytes of a file that one reader takes in memory, however slow he is."""
AT_ONCE: Final = 4
"""Uploads at a time in one process; each is held in memory."""
WITHIN_S: Final = 60.0

router = APIRouter(dependencies=[Depends(caller)])

_room = asyncio.Semaphore(AT_ONCE)
# A file takes three times its size while it is written.
_writing = asyncio.Lock()


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
        parts = await _parts(request)
        async with _writing, here.running.pool.acquire(timeout=PATIENCE) as tx:
            blob = Blob.of(b"".join(parts), request.headers.get("content-type", "application/octet-stream"))
            await blobs.write(tx, [blob])
    return Stored(sha256=blob.sha256, size=blob.size, media_type=blob.media_type)


@router.get("/api/attachments/{sha256}", response_class=Response, summary="A file as it was stored")
async def read_attachment(
    sha256: Annotated[str, Path(max_length=64)], here: Annotated[Context, Depends(context)]
) -> Response:
    """Always as a download: a file that somebody sent never runs in an agent's browser."""
    first = await _piece(here, sha256, 0)
    if first is None:
        raise HttpProblem(HTTPStatus.NOT_FOUND, "unknown_attachment", "There is no such file.")
    headers = {"Content-Disposition": f'attachment; filename="{sha256}"', "Content-Length": str(first.size)}
    return StreamingResponse(_pieces(here, sha256, first), media_type=first.media_type, headers=headers)


async def _pieces(here: Context, sha256: str, first: Piece) -> AsyncIterator[bytes]:
    yield first.body
    for start in range(PIECE, first.size, PIECE):
        piece = await _piece(here, sha256, start)
        if piece is None:
            return  # It is gone: the answer ends before its length, which every client takes for broken.
        yield piece.body


async def _piece(here: Context, sha256: str, start: int) -> Piece | None:
    async with here.running.pool.acquire(timeout=PATIENCE) as tx:
        return await blobs.read_piece(tx, sha256, start, PIECE)


async def _parts(request: Request) -> list[bytes]:
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
    return parts

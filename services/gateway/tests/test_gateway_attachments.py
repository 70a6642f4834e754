"""Files up and down: kept once under their SHA-256, within a limit, and never shown as a page."""

import asyncio
import contextlib
from hashlib import sha256

import httpx
import pytest

from deskstream.gateway.api.attachments import AT_ONCE, LIMIT, PIECE
from deskstream.testkit.eventually import eventually

PDF = b"%PDF-1.4 of a customer"


async def test_n1_a_file_is_stored_under_its_sha256_and_read_again(api):
    answer = await api.post("/api/attachments", content=PDF, headers={"Content-Type": "application/pdf"})
    assert answer.status_code == 201
    name = sha256(PDF).hexdigest()
    assert answer.json() == {"sha256": name, "size": len(PDF), "media_type": "application/pdf"}
    again = await api.post("/api/attachments", content=PDF, headers={"Content-Type": "application/pdf"})
    assert again.json() == answer.json()
    read = await api.get(f"/api/attachments/{name}")
    assert (read.status_code, read.content, read.headers["content-type"]) == (200, PDF, "application/pdf")


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, LIMIT])
async def test_a_file_of_several_pieces_is_read_whole(api, size):
    body = bytes(range(251)) * (size // 251 + 1)
    stored = (await api.post("/api/attachments", content=body[:size])).json()
    read = await api.get(f"/api/attachments/{stored['sha256']}")
    assert (read.headers["content-length"], sha256(read.content).hexdigest()) == (str(size), stored["sha256"])


async def test_p10_who_reads_slowly_keeps_no_connection_to_the_database(serving, pool):
    async with serving() as client, contextlib.AsyncExitStack() as readers:
        stored = (await client.post("/api/attachments", content=bytes(LIMIT))).json()
        for _ in range(pool.get_max_size() + 1):
            read = await readers.enter_async_context(client.stream("GET", f"/api/attachments/{stored['sha256']}"))
            assert read.status_code == 200
        assert (await client.post("/api/attachments", content=PDF)).status_code == 201


async def test_p16_a_page_that_somebody_sent_is_downloaded_never_shown(api):
    page = b"<script>alert(1)</script>"
    stored = (await api.post("/api/attachments", content=page, headers={"Content-Type": "text/html"})).json()
    read = await api.get(f"/api/attachments/{stored['sha256']}")
    assert read.headers["content-disposition"].startswith("attachment")
    assert read.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in read.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("size", "status", "code"),
    [
        pytest.param(0, 400, "empty_file", id="nothing"),
        pytest.param(LIMIT, 201, None, id="as much as may be"),
        pytest.param(LIMIT + 1, 413, "too_large", id="a byte more"),
    ],
)
async def test_how_large_a_file_may_be(api, size, status, code):
    async def parts():
        for start in range(0, size, 1024 * 1024):
            yield b"x" * min(1024 * 1024, size - start)

    answer = await api.post("/api/attachments", content=parts())
    assert (answer.status_code, answer.json().get("code")) == (status, code)


async def test_a_media_type_that_is_none_is_kept_as_bytes(api):
    answer = await api.post("/api/attachments", content=PDF, headers={"Content-Type": "é".encode()})
    assert answer.json()["media_type"] == "application/octet-stream"


@pytest.mark.parametrize("name", ["0" * 64, "x", "..", "%2e%2e%2fetc", "A" * 64, "0" * 65])
async def test_a_file_that_is_not_there(api, name):
    assert (await api.get(f"/api/attachments/{name}")).status_code in (400, 404)


async def test_p13_without_the_token_nothing_is_stored_or_read(api, pool):
    del api.headers["authorization"]
    assert (await api.post("/api/attachments", content=PDF)).status_code == 401
    assert (await api.get(f"/api/attachments/{sha256(PDF).hexdigest()}")).status_code == 401


async def test_p10_too_many_at_once_are_asked_to_come_again(api):
    go_on, begun = asyncio.Event(), []

    async def slowly():
        begun.append(1)
        yield b"x"
        await go_on.wait()

    uploads = [asyncio.create_task(api.post("/api/attachments", content=slowly())) for _ in range(AT_ONCE)]
    await eventually(lambda: len(begun) == AT_ONCE)
    answer = await api.post("/api/attachments", content=PDF)
    go_on.set()
    assert (answer.json()["code"], answer.headers["retry-after"]) == ("too_many_uploads", "1")
    assert {(await upload).status_code for upload in uploads} == {201}


async def test_p10_an_endless_file_is_cut(serving):
    async def endless():
        while True:
            yield b"x" * 262_144

    async with serving() as client:
        # The server says no and closes; a client that only writes sees no more than that it closed.
        with contextlib.suppress(httpx.TransportError):
            assert (await client.post("/api/attachments", content=endless())).status_code == 413
        assert (await client.get("/api/health")).status_code == 200

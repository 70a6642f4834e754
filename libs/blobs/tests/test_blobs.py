"""Blobs on a real PostgreSQL: kept once, found by what they are, refused over the limit."""

import asyncio
import hashlib

import asyncpg
import pytest
import pytest_asyncio

from deskstream.blobs import LIMIT, MIGRATIONS, SCHEMA, Blob, Blobs, BlobTooLarge, Piece, read, read_piece, write
from deskstream.runtime.migrations import migrate
from deskstream.runtime.pool import open_pool

HELLO = b"hello"
HELLO_SHA256 = hashlib.sha256(HELLO).hexdigest()


@pytest_asyncio.fixture
async def pool(database):
    connection = await asyncpg.connect(database)
    await migrate(connection, SCHEMA, [MIGRATIONS])
    await connection.close()
    # Somebody else's search_path, as every caller has.
    opened = await open_pool(database, "elsewhere")
    yield opened
    await opened.close()


@pytest.fixture
def blobs(pool):
    return Blobs(pool)


async def count(pool):
    return await pool.fetchval("SELECT count(*) FROM blobs.blobs")


async def test_what_was_put_is_got(blobs):
    assert await blobs.put(HELLO, "text/plain") == HELLO_SHA256
    assert await blobs.get(HELLO_SHA256) == Blob(HELLO_SHA256, "text/plain", HELLO)


async def test_putting_again_keeps_one_and_its_first_media_type(blobs, pool):
    assert await blobs.put(HELLO, "text/plain") == await blobs.put(HELLO, "text/html")
    assert await count(pool) == 1
    found = await blobs.get(HELLO_SHA256)
    assert found.media_type == "text/plain"


async def test_many_keep_their_order_and_may_repeat(blobs, pool):
    contents = [(b"b", "text/plain"), (b"a", "text/plain"), (b"b", "text/plain"), (b"", "text/plain")]
    assert await blobs.put_many(contents) == [hashlib.sha256(body).hexdigest() for body, _ in contents]
    assert await count(pool) == 3


async def test_nothing_to_put(blobs, pool):
    assert await blobs.put_many([]) == []
    assert await count(pool) == 0


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("0" * 64, id="a name of nothing"),
        pytest.param(HELLO_SHA256.upper(), id="upper case"),
        pytest.param(HELLO_SHA256 + "\n", id="a newline at the end"),
        pytest.param("٣" * 64, id="digits of another script"),
        pytest.param("../../etc/passwd", id="a path"),
        pytest.param("", id="nothing"),
        pytest.param("' OR 1=1 --", id="SQL"),
    ],
)
async def test_an_unknown_name_finds_nothing(blobs, name):
    await blobs.put(HELLO, "text/plain")
    assert await blobs.get(name) is None


@pytest.mark.parametrize(
    "media_type",
    [
        pytest.param("text/plain\r\nSet-Cookie: a=b", id="a header smuggled in"),
        pytest.param("text/\x00plain", id="NUL, which PostgreSQL's text cannot hold"),
        pytest.param("text/\ud800", id="a lone surrogate"),
        pytest.param("x" * 256, id="256 characters"),
        pytest.param("", id="none"),
    ],
)
async def test_a_hostile_media_type_becomes_bytes(blobs, media_type):
    found = await blobs.get(await blobs.put(HELLO, media_type))
    assert found.media_type == "application/octet-stream"


async def test_the_limit_is_25_mebibytes(blobs, pool):
    with pytest.raises(BlobTooLarge, match="26,214,401 bytes are over the limit of 26,214,400 bytes"):
        await blobs.put_many([(HELLO, "text/plain"), (bytes(LIMIT + 1), "application/zip")])
    assert await count(pool) == 0
    found = await blobs.get(await blobs.put(bytes(LIMIT), "application/zip"))
    assert found.size == LIMIT


@pytest.mark.parametrize(
    ("start", "length", "body"), [(0, 2, b"he"), (2, 99, b"llo"), (5, 1, b""), (2**31 - 2, 1, b"")]
)
async def test_a_piece_says_what_the_whole_is(blobs, pool, start, length, body):
    await blobs.put(HELLO, "text/plain")
    assert await read_piece(pool, HELLO_SHA256, start, length) == Piece("text/plain", len(HELLO), body)
    assert await read_piece(pool, "0" * 64, start, length) is None
    assert await read_piece(pool, "' OR 1=1 --", start, length) is None


async def test_a_transaction_that_is_undone_leaves_nothing(pool):
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await write(connection, [Blob.of(HELLO)])
        assert await read(connection, HELLO_SHA256) is not None
        await transaction.rollback()
        assert await read(connection, HELLO_SHA256) is None


async def test_many_writers_of_the_same_blobs(blobs, pool):
    contents = [(bytes([number]), "text/plain") for number in range(50)]
    await asyncio.gather(*(blobs.put_many(contents[::way]) for way in (1, -1, 1, -1)))
    assert await count(pool) == 50


async def test_a_url_opens_connections_of_its_own(pool, database):
    blobs = Blobs(database)
    names = await asyncio.gather(*(blobs.put(HELLO, "text/plain") for _ in range(5)))
    assert set(names) == {HELLO_SHA256}
    await blobs.close()
    await blobs.close()
    assert await count(pool) == 1


async def test_closing_leaves_a_given_pool_open(blobs, pool):
    await blobs.close()
    assert await count(pool) == 0

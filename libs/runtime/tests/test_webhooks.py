"""N7: what is signed, lately, on the raw bytes, gets in; everything else gets its status."""

import asyncio
import base64
import contextlib
import hmac
import socket
from http import HTTPStatus

import httpx
import pytest

from deskstream.runtime import webhooks
from deskstream.runtime.webhooks import BODY_LIMIT, Secrets, taking

KEY, OLD, STRANGE = b"k" * 24, b"o" * 24, b"s" * 24
NOW = 1_700_000_000.0
BODY = b'{"type":"message"}'


def secret(key):
    return "whsec_" + base64.b64encode(key).decode()


def headers(key=KEY, *, at=NOW, body=BODY, id_="msg_1"):
    signature = hmac.new(key, f"{id_}.{int(at)}.".encode() + body, "sha256").digest()
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


BOTH = Secrets.read(f"{secret(KEY)} {secret(OLD)}")


@pytest.mark.parametrize(
    ("shown", "holds"),
    [
        pytest.param(headers(), True, id="signed"),
        pytest.param(headers(OLD), True, id="signed with the secret that is being replaced"),
        pytest.param(headers(at=NOW - 299), True, id="five minutes ago, nearly"),
        pytest.param(headers(at=NOW + 299), True, id="by a clock that is ahead"),
        pytest.param({}, False, id="not signed"),
        pytest.param(headers(STRANGE), False, id="signed with another secret"),
        pytest.param(headers(at=NOW - 301), False, id="stale"),
        pytest.param(headers(at=NOW + 301), False, id="from the future"),
        pytest.param(headers(body=BODY + b" "), False, id="of another body"),
        pytest.param(headers() | {"webhook-id": "msg_2"}, False, id="of another id"),
        pytest.param(headers() | {"webhook-timestamp": "now"}, False, id="at no time"),
        pytest.param(headers() | {"webhook-timestamp": "9" * 5000}, False, id="at a time of 5,000 digits"),
        pytest.param(headers() | {"webhook-timestamp": "١٢٣"}, False, id="at a time in other digits"),
        pytest.param(headers() | {"webhook-signature": "v1," + "A" * 10_000}, False, id="a huge signature"),
        pytest.param(headers() | {"webhook-signature": headers()["webhook-signature"][3:]}, False, id="no version"),
    ],
)
def test_n7_signatures(shown, holds):
    assert BOTH.hold(shown, BODY, now=NOW) is holds


def test_n7_one_of_several_signatures_is_enough():
    shown = headers()
    both = shown | {"webhook-signature": f"v1,AAAA {shown['webhook-signature']}"}
    assert BOTH.hold(both, BODY, now=NOW)


def test_n7_without_a_secret_nobody_gets_in():
    assert not Secrets.read("").hold(headers(b""), BODY, now=NOW)


@pytest.mark.parametrize("text", ["whsec_%%%", "whsec_c2hvcnQ=", "short"])
def test_a_secret_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="must"):
        Secrets.read(text)


@pytest.fixture
async def door():
    """A client of a door that says what it got."""
    got = []

    async def taken(shown, body):
        got.append((shown.get("webhook-id"), body))
        return HTTPStatus.OK, "Taken."

    async with (
        taking("127.0.0.1:0", taken) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        yield client, got


async def test_the_raw_body_gets_through(door):
    client, got = door
    answer = await client.post("/", content=b'{ "a" :1}', headers={"webhook-id": "m"})
    assert (answer.status_code, answer.json()["detail"]) == (200, "Taken.")
    assert got == [("m", b'{ "a" :1}')]


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        pytest.param("POST", "/", b"x" * BODY_LIMIT, 200, id="as much as may be"),
        pytest.param("POST", "/", b"x" * (BODY_LIMIT + 1), 413, id="a byte more"),
        pytest.param("GET", "/", b"", 405, id="another method"),
        pytest.param("POST", "/elsewhere", b"", 404, id="another path"),
    ],
)
async def test_what_is_no_webhook_gets_its_status(door, method, path, content, status):
    client, got = door
    assert (await client.request(method, path, content=content)).status_code == status
    assert len(got) == (status == 200)


async def test_an_endless_body_is_cut(door):
    client, got = door

    async def endless():
        while True:
            yield b"x" * 65_536

    # The server says no and closes; a client that only writes sees no more than that it closed.
    with contextlib.suppress(httpx.TransportError):
        assert (await client.post("/", content=endless())).status_code == 413
    assert got == []


async def test_an_address_in_use_is_told():
    async def taken(shown, body):
        return HTTPStatus.OK, ""

    with socket.create_server(("127.0.0.1", 0)) as used, pytest.raises(OSError, match="in use"):
        async with taking(f"127.0.0.1:{used.getsockname()[1]}", taken):
            await asyncio.sleep(0)


def test_ten_seconds_and_a_mebibyte_are_the_limits():
    assert (webhooks.BODY_WITHIN_S, webhooks.BODY_LIMIT) == (10, 1024**2)

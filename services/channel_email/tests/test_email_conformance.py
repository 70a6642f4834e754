"""N8: the mail channel as it really runs, held against the suite that all channels pass."""

import socket
from pathlib import Path

import pytest

from deskstream import blobs
from deskstream.channel_email.app import SERVICE
from deskstream.testkit.conformance import Answer, Topic, hold, read_recorded
from deskstream.testkit.conformance.processes import silent_conversation
from deskstream.testkit.desk import desk
from services.channel_email.tests.given import SECRET
from services.channel_email.tests.given_smtp import bring, connected

RECORDED = Path(__file__).parent / "recorded/conformance.toml"


class BySmtp:
    """The mail server of a sender."""

    forgeries = ()

    def __init__(self, port, pool):
        self.port = port
        self.pool = pool

    async def bring(self, payload, forgery=""):
        async with connected(self.port) as client:
            code, told = await bring(client, payload.content)
        return Answer(taken=code == 250, told=f"{code} {told}")

    async def files(self, names):
        async with self.pool.acquire() as tx:
            found = [await blobs.read(tx, name) for name in names]
        return {blob.sha256: blob.body for blob in found if blob}


@pytest.fixture
def port(monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET", SECRET)
    monkeypatch.setenv("DESKSTREAM_EMAIL_LISTEN", f"127.0.0.1:{number}")
    monkeypatch.setenv("DESKSTREAM_EMAIL_MAILDIR", str(tmp_path / "mail"))
    return number


@pytest.mark.slow
async def test_n8_mail_conforms(database, nats_url, port):
    async with desk([silent_conversation(), SERVICE], database, nats_url) as services:
        report = await hold(BySmtp(port, services["channel_email"].pool), read_recorded(RECORDED), nats_url)
    assert report.conforms, str(report)
    assert set(report.absent) == {Topic.SIGNATURE, Topic.EDIT, Topic.DELETE, Topic.UNKNOWN_TYPE}

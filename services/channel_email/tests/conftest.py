"""The service behind the SMTP server under test, and the server."""

import pytest

from services.channel_email.tests.given_smtp import Recorder, serving


@pytest.fixture
async def running(pool_for):
    return Recorder(await pool_for("channel_email"))


@pytest.fixture
async def server(running):
    async with serving(running) as server:
        yield server


@pytest.fixture
async def pool(pool_for):
    return await pool_for("channel_email")

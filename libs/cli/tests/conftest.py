import asyncio
import json
import os
from dataclasses import dataclass

import pytest
import structlog
from typer.testing import CliRunner

from deskstream.cli.main import app
from libs.cli.tests.tails import streams


@dataclass
class Said:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def lines(self):
        return self.out.splitlines()


class Deskstream:
    """The command in this process, with an environment of its own."""

    def __init__(self, environment):
        self.environment = {name: None for name in os.environ if name.startswith("DESKSTREAM_")} | environment

    async def __call__(self, *arguments, stdin=None):
        return await asyncio.to_thread(self.now, *arguments, stdin=stdin)

    def now(self, *arguments, stdin=None):
        """Where no event loop runs."""
        done = CliRunner().invoke(app, [str(argument) for argument in arguments], env=self.environment, input=stdin)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Said(done.exit_code, done.stdout, done.stderr)


@pytest.fixture(autouse=True)
def logs_as_before():
    """A command silences the logs of its process, which is the tests' own."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """Called where nothing runs."""
    monkeypatch.chdir(tmp_path)
    return Deskstream({})


@pytest.fixture
def deskstream(tmp_path, monkeypatch, database, nats_url):
    """Called where the environment names this test's servers."""
    monkeypatch.chdir(tmp_path)
    told = {"DESKSTREAM_NATS_URL": nats_url, "DESKSTREAM_POSTGRES_URL": database}
    # As the operator, where the broker is ours.
    told |= {name: os.environ[name] for name in ("DESKSTREAM_CREDENTIALS",) if name in os.environ}
    return Deskstream(told)


@pytest.fixture
async def broker(nats_url):
    async with streams(nats_url) as client:
        yield client

"""The servers of the tests as containers, gone with the test run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Final

import asyncpg
import pytest
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from deskstream.testkit.eventually import eventually
from deskstream.testkit.streams import BareBroker

NATS_IMAGE: Final = os.environ.get("NATS_IMAGE") or "nats:2.15"
POSTGRES_IMAGE: Final = os.environ.get("POSTGRES_IMAGE") or "postgres:18"
READY_WITHIN_S: Final = 60.0

# The library would start a container of its own that cleans up after killed runs: one image more to have.
testcontainers_config.ryuk_disabled = True


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL where databases may be made."""
    container = DockerContainer(POSTGRES_IMAGE).with_env("POSTGRES_PASSWORD", "of-the-tests").with_exposed_ports(5432)
    # Nothing of it outlives the run, so nothing need reach the disk.
    container.with_command(["postgres", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=300"])
    with container as server:
        host, port = server.get_container_host_ip(), server.get_exposed_port(5432)
        url = f"postgresql://postgres:of-the-tests@{host}:{port}/postgres"
        look: Callable[[], Awaitable[bool] | bool] = partial(_answers, url)
        asyncio.run(eventually(look, within=READY_WITHIN_S, what="PostgreSQL's answer"))
        yield url


@pytest.fixture(scope="session")
def nats_server() -> Iterator[str]:
    """The URL of this worker's broker."""
    container = DockerContainer(NATS_IMAGE).with_command(["--jetstream", "--store_dir", "/tmp/nats"])
    with container.with_exposed_ports(4222) as server:
        url = f"nats://{server.get_container_host_ip()}:{server.get_exposed_port(4222)}"
        asyncio.run(eventually(lambda: _has_streams(url), within=READY_WITHIN_S, what="the broker's answer"))
        yield url


async def _answers(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    await connection.close()
    return True


def _has_streams(url: str) -> bool:
    try:
        with BareBroker(url) as broker:
            broker.stream_names()
    except (OSError, RuntimeError):
        return False
    return True

"""The servers of the tests as containers, gone with the test run."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Final

import asyncpg
import httpx
import pytest
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from deskstream.messaging import DATABASE_UNWELL
from deskstream.runtime.embedded.processes import wait_until
from deskstream.runtime.privileges.accounts import Settings
from deskstream.runtime.privileges.broker import MAX_PAYLOAD
from deskstream.testkit.eventually import eventually
from deskstream.testkit.identities import guarded
from deskstream.testkit.streams import BareBroker

NATS_IMAGE: Final = os.environ.get("NATS_IMAGE") or "nats:2.15"
POSTGRES_IMAGE: Final = os.environ.get("POSTGRES_IMAGE") or "postgres:18"
READY_WITHIN_S: Final = 60.0

_PORT: Final = 4222
_MONITOR_PORT: Final = 8222
_CONFIGURATION_FILE: Final = "/tmp/nats.conf"
_STORE: Final = "/data"
_MAX_FILE_STORE: Final = 8 * 1024**3
_RELOAD_WITHIN_S: Final = 10.0

# The library would start a container of its own that cleans up after killed runs: one image more to have.
testcontainers_config.ryuk_disabled = True


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL where databases may be made."""
    container = DockerContainer(POSTGRES_IMAGE).with_env("POSTGRES_PASSWORD", "of-the-tests").with_exposed_ports(5432)
    # Nothing of it outlives the run, so nothing need reach the disk.
    container.with_command(["postgres", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=300"])
    container.with_tmpfs_mount("/var/lib/postgresql")
    with container as server:
        host, port = server.get_container_host_ip(), server.get_exposed_port(5432)
        url = f"postgresql://postgres:of-the-tests@{host}:{port}/postgres"
        look: Callable[[], Awaitable[bool] | bool] = partial(_answers, url)
        asyncio.run(eventually(look, within=READY_WITHIN_S, what="PostgreSQL's answer"))
        yield url


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of this worker's broker; services are themselves on it, as on the embedded one."""
    with guarded(ContainerNats, tmp_path_factory.mktemp("credentials")) as url:
        yield url


class ContainerNats:
    """A nats-server with JetStream in a container, which lets in whom `access` names."""

    def __init__(self, access: Settings) -> None:
        self._configuration = _configuration(access)
        self._container = DockerContainer(NATS_IMAGE).with_command(["--config", _CONFIGURATION_FILE])
        self._container.with_exposed_ports(_PORT, _MONITOR_PORT)
        self._container.with_tmpfs_mount(_STORE)
        self._container.with_copy_into_container(self._configuration, _CONFIGURATION_FILE)

    def start(self) -> str:
        """Starts it, waits until it has streams, and says the URL."""
        self._container.start()
        url = f"nats://{self._address(_PORT)}"
        asyncio.run(eventually(lambda: _has_streams(url), within=READY_WITHIN_S, what="the broker's answer"))
        return url

    def admit(self, access: Settings) -> None:
        """Lets in whom this says and nobody else, from now on. Connections of those who are still let in stay."""
        if self._configuration == (configuration := _configuration(access)):
            return
        self._configuration, before = configuration, self._read_at()
        self._container.copy_into_container(configuration, _CONFIGURATION_FILE)
        self._container.get_wrapped_container().kill(signal="SIGHUP")
        if not wait_until(lambda: self._read_at() != before, within=_RELOAD_WITHIN_S):
            log = b"".join(self._container.get_logs()).decode()
            raise RuntimeError(f"nats-server does not take its new configuration. It said:\n{log}")

    def stop(self) -> None:
        """Ends it, and what it kept is gone."""
        self._container.stop()

    def _address(self, port: int) -> str:
        return f"{self._container.get_container_host_ip()}:{self._container.get_exposed_port(port)}"

    def _read_at(self) -> str:
        """When the server last read its configuration."""
        figures = httpx.get(f"http://{self._address(_MONITOR_PORT)}/varz", timeout=10).raise_for_status().json()
        return str(figures["config_load_time"])


def _configuration(access: Settings) -> bytes:
    # The server reads JSON as well as its own notation.
    return json.dumps(
        {
            "server_name": "deskstream",
            "listen": f"0.0.0.0:{_PORT}",
            "http": f"0.0.0.0:{_MONITOR_PORT}",
            "max_payload": MAX_PAYLOAD,
            "jetstream": {"store_dir": _STORE, "max_file_store": _MAX_FILE_STORE},
            **access,
        }
    ).encode()


async def _answers(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except DATABASE_UNWELL:
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

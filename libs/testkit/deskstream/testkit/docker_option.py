"""`pytest --docker`: NATS and PostgreSQL come from containers, and what needs a container engine is tested, too."""

from __future__ import annotations

from typing import Final

import pytest

MARKER: Final = "docker"
ON_SERVERS: Final = "servers"
SERVERS: Final = frozenset({"nats_server", "postgres_server"})
"""The fixtures that come from containers; a test that stands on neither is left out with `--docker`.

Whatever stands on one has the mark `servers` by itself.
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Called by pytest."""
    parser.getgroup("deskstream").addoption(
        "--docker",
        action="store_true",
        help="run what stands on NATS or PostgreSQL on containers of them, and the tests marked docker; nothing else",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Called by pytest."""
    config.addinivalue_line("markers", f"{MARKER}: needs a container engine; runs with --docker only")
    config.addinivalue_line("markers", f"{ON_SERVERS}: stands on NATS or PostgreSQL; said by its fixtures, not by hand")
    if config.getoption("--docker"):
        # Registered later, its fixtures come before those of the same name.
        config.pluginmanager.import_plugin("deskstream.testkit.containers")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Called by pytest, before it chooses by marks."""
    for item in items:
        if _uses_servers(item):
            item.add_marker(ON_SERVERS)
    chosen = _on_containers if config.getoption("--docker") else _without_containers
    left_out = [item for item in items if not chosen(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if chosen(item)]


def _on_containers(item: pytest.Item) -> bool:
    """What needs no server, or starts one of its own to break it, would be the same test once more."""
    return not _without_containers(item) or _uses_servers(item)


def _without_containers(item: pytest.Item) -> bool:
    return item.get_closest_marker(MARKER) is None


def _uses_servers(item: pytest.Item) -> bool:
    return not SERVERS.isdisjoint(getattr(item, "fixturenames", ()))

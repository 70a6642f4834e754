"""`pytest --docker`: NATS and PostgreSQL come from containers, and what needs a container engine is tested, too."""

from __future__ import annotations

from typing import Final

import pytest

MARKER: Final = "docker"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Called by pytest."""
    parser.getgroup("deskstream").addoption(
        "--docker",
        action="store_true",
        help="take NATS and PostgreSQL from containers instead of embedded ones, and run the tests marked docker",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Called by pytest."""
    config.addinivalue_line("markers", f"{MARKER}: needs a container engine; runs with --docker only")
    if config.getoption("--docker"):
        # Registered later, its fixtures come before those of the same name.
        config.pluginmanager.import_plugin("deskstream.testkit.containers")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Called by pytest."""
    if config.getoption("--docker"):
        return
    needing = [item for item in items if item.get_closest_marker(MARKER)]
    if needing:
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if not item.get_closest_marker(MARKER)]

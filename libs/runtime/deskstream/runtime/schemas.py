"""Which schemas the system has, and the SQL that makes each: the services' and the one of the blobs."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TypeAlias

from deskstream import blobs
from deskstream.messaging import Declaration
from deskstream.messaging.topology import completed
from deskstream.runtime.channels import GROUP, adapters_elsewhere

__all__ = ["GROUP", "Sources", "installed_services", "schemas"]

Sources: TypeAlias = tuple[Traversable, ...]


def installed_services() -> dict[str, Declaration]:
    """Every service that is installed, by name; what leaves by channels of adapters elsewhere is declared, too."""
    found: dict[str, Declaration] = {entry.name: entry.load() for entry in entry_points(group=GROUP)}
    everybody = completed([*found.values(), *adapters_elsewhere()])
    return {service.name: service for service in sorted(everybody, key=lambda one: one.name) if service.name in found}


def schemas(services: Iterable[Declaration]) -> dict[str, Sources]:
    """Schema name -> folders of SQL, messaging's tables before the service's own."""
    messaging = files("deskstream.messaging") / "migrations"
    own = {service.name: (messaging, service.migrations) for service in services}
    return {blobs.SCHEMA: (blobs.MIGRATIONS,), **own}

"""The services that are installed here, by name."""

from collections.abc import Sequence
from importlib.metadata import entry_points

from deskstream.cli.problem import Problem, misused
from deskstream.messaging import Declaration
from deskstream.runtime.schemas import GROUP, installed_services
from deskstream.runtime.settings import SettingsError

ALL = "all"


def names() -> list[str]:
    """Without importing any of them. A service's name is its database schema's, too."""
    return sorted(entry.name for entry in entry_points(group=GROUP))


def installed() -> list[Declaration]:
    """All of them. Raises Problem for one that cannot be loaded."""
    try:
        found = installed_services()
    except SettingsError as error:
        raise misused(str(error)) from None
    except ImportError as error:
        raise Problem(f"A service cannot be loaded: {error}. Install everything again (`make setup`).") from error
    if not found:
        raise Problem("No service is installed here.")
    return list(found.values())


def chosen(wanted: Sequence[str]) -> list[Declaration]:
    """Those named, or `all`. Raises Problem for a name that no service has."""
    unknown = sorted(set(wanted) - {ALL, *names()})
    if unknown:
        raise misused(f"There is no service {', '.join(unknown)}. There are: {', '.join(names())}; or `all`.")
    return [service for service in installed() if ALL in wanted or service.name in wanted]

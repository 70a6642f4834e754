"""What a new channel or service adds to docker-compose.yml and deploy, so that it runs and is watched like others."""

import re
from collections.abc import Callable
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Final, TypeAlias

from deskstream.cli.new.filling import fill, filled
from deskstream.cli.new.naming import Named
from deskstream.cli.problem import Problem

COMPOSE: Final = "docker-compose.yml"
DESK: Final = "deploy/desk.env"
SETTINGS: Final = "deploy/k8s/desk/settings.yaml"
SERVICES: Final = "deploy/k8s/services/kustomization.yaml"
SCRAPED: Final = "deploy/observability/prometheus/prometheus.yml"

Change: TypeAlias = Callable[[str, Named], str]
"""From a file's text to what it becomes."""

_CHANNELS: Final = "DESKSTREAM_EXTRA_CHANNELS"
_FIRST_PORT: Final = 8090


def deployed(named: Named, root: Path) -> dict[str, str]:
    """By path below the root, the files that are new or become another text. Those that are not there stay so.

    Raises Problem for a file in which there is no place for it, OSError for one that cannot be read.
    """
    there = {path: change for path, change in _touched(named).items() if (root / path).exists()}
    changed = {path: change((root / path).read_text("utf-8"), named) for path, change in there.items()}
    if SERVICES in there:
        kind = files("deskstream.cli.new") / "templates" / "deploy" / named.kind / "k8s"
        changed |= {f"deploy/k8s/services/{named.package}/{path}": text for path, text in filled(kind, named.words)}
    return changed


def _touched(named: Named) -> dict[str, Change]:
    """By path, what it becomes."""
    of_all: dict[str, Change] = {COMPOSE: _with_section, SERVICES: _with_resource, SCRAPED: _with_name}
    of_channels: dict[str, Change] = {DESK: _with_variable, SETTINGS: _with_setting}
    return of_all | of_channels if named.kind == "channel" else of_all


def _with_section(compose: str, named: Named) -> str:
    """Behind the last service, which the networks follow."""
    head, networks, rest = compose.partition("\nnetworks:\n")
    if not networks:
        raise Problem(f"{COMPOSE} has no `networks:` behind its services: there is no place for {named.package}.")
    if f"\n  {named.package}:\n" in head:
        return compose
    template = files("deskstream.cli.new") / "templates" / "deploy" / named.kind / "compose.yml.txt"
    words = named.words | {"PORT": str(_free_port(compose))}
    return f"{head}\n{fill(template.read_text('utf-8'), words)}{networks}{rest}"


def _free_port(compose: str) -> int:
    """Of this machine's, one that no other door has."""
    taken = set(re.findall(r"127\.0\.0\.1:(\d+)", compose))
    return next(port for port in count(_FIRST_PORT) if str(port) not in taken)


def _with_resource(kustomization: str, named: Named) -> str:
    head, resources, listed = kustomization.partition("resources:\n")
    if not resources:
        raise Problem(f"{SERVICES} lists no `resources:`: there is no place for {named.package}.")
    return head + resources + "".join(sorted({*listed.splitlines(keepends=True), f"  - {named.package}\n"}))


def _with_name(prometheus: str, named: Named) -> str:
    """Among the names by which the processes are found that tell their figures."""
    head, names, rest = prometheus.partition("      - names:\n")
    if not names:
        raise Problem(f"{SCRAPED} has no `names:` of services: there is no place for {named.package}.")
    listed = re.match(r"( +- \w+\n)*", rest)
    line = f"          - {named.package}\n"
    return prometheus if not listed or line in listed[0] else head + names + listed[0] + line + rest[listed.end() :]


def _with_variable(desk: str, named: Named) -> str:
    return _with_channel(desk, f"{_CHANNELS}=", named.name)


def _with_setting(settings: str, named: Named) -> str:
    return _with_channel(settings, f"  {_CHANNELS}: ", named.name, quoted='"')


def _with_channel(settings: str, name: str, channel: str, quoted: str = "") -> str:
    """Conversation cannot see in its image which channels there are, so the setting names this one, too."""
    already = re.search(rf"^{re.escape(name)}(.*)$", settings, re.MULTILINE)
    names = [one.strip() for one in (already[1].strip("\"' ") if already else "").split(",")]
    line = f"{name}{quoted}{','.join(dict.fromkeys([*filter(None, names), channel]))}{quoted}"
    return settings.replace(already[0], line) if already else f"{settings.rstrip()}\n{line}\n"

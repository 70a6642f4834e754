"""What `deskstream provision --permissions` does and says."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from deskstream.cli import output, services
from deskstream.cli.permissions.writing import CREDENTIALS, NATS, POSTGRES, Layout, Report, differing, write
from deskstream.cli.problem import WRONG, Problem, misused
from deskstream.messaging.permissions import Apart
from deskstream.runtime.channels import adapters_elsewhere
from deskstream.runtime.privileges.credentials import CredentialsError


def layout_of(out: Path, hosts: list[str], at: str | None, store: str, apart: Apart) -> Layout:
    """Raises Problem for what cannot be a name or a path."""
    for host in hosts:
        if not host or not all(part and part.replace("-", "").isalnum() for part in host.replace(":", ".").split(".")):
            raise misused(f"{host!r} is no name of a host: write nats, nats.example.org or 10.0.0.7.")
    for path in filter(None, (at, store)):
        if not Path(path).is_absolute():
            raise misused(f"{path!r} must be a whole path, from / on: the server starts who knows where.")
    folder = out.resolve()
    return Layout(folder, at or str(folder / NATS), store, tuple(hosts), apart)


def write_permissions(layout: Layout, *, check: bool, as_json: bool) -> None:
    """Writes the folder, or with `check` says what would change. Raises Problem."""
    declared, adapters = services.installed(), adapters_elsewhere()
    try:
        if check:
            _tell_differing(differing(layout, declared, adapters), as_json=as_json)
            return
        report = write(layout, declared, adapters)
    except (CredentialsError, ValueError) as error:
        raise Problem(str(error)) from None
    except OSError as error:
        raise Problem(f"{error.filename or layout.folder} cannot be written: {error.strerror}.") from None
    if as_json:
        output.say_json({"folder": str(layout.folder), **asdict(report)})
    else:
        _tell(layout, report)


def _tell_differing(found: list[str], *, as_json: bool) -> None:
    if as_json:
        output.say_json({"differing": found})
    elif found:
        output.table(["differs"], [[name] for name in found])
        output.hint("`deskstream provision --permissions` writes it.")
    else:
        output.line("The permissions are as the services declare them.")
    if found:
        raise typer.Exit(WRONG)


def _tell(layout: Layout, report: Report) -> None:
    output.line(f"{len(report.users)} users may do what they declare: {', '.join(report.users)}.")
    changed = [[name, "made"] for name in report.made] + [[name, "written"] for name in report.written]
    if not changed:
        output.line(f"Everything in {layout.folder} is as it should be.")
    else:
        output.table(["file", ""], changed)
    for name in report.unused:
        output.hint(f"{name} belongs to nobody who is declared; remove it when nobody runs with it any more.")
    if report.written:
        _hint_next(layout)


def _hint_next(layout: Layout) -> None:
    folder = layout.folder
    output.hint(f"NATS: nats-server -c {folder / NATS}/nats.conf, or `nats-server --signal reload` where it runs.")
    output.hint(f"PostgreSQL, as superuser: psql -f {folder / POSTGRES}/roles.sql; then `deskstream migrate`.")
    output.hint(f"Services and this command: DESKSTREAM_CREDENTIALS={folder / CREDENTIALS}")

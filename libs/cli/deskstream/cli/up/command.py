"""`deskstream up`."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from deskstream.cli import output, services
from deskstream.cli.execution import in_our_words, serve
from deskstream.cli.folder import FOLDER, SERVERS
from deskstream.cli.place import without_password
from deskstream.cli.problem import Problem, misused
from deskstream.cli.state import State, read_state
from deskstream.cli.up.detached import start_detached
from deskstream.cli.up.keeping import Plan, keep_up
from deskstream.cli.up.surroundings import Ports, prepare
from deskstream.messaging.permissions import OPERATOR
from deskstream.runtime.logs import configure_logging
from deskstream.runtime.privileges.credentials import FOLDER as CREDENTIALS
from deskstream.runtime.settings import RuntimeSettings, read_settings

app = typer.Typer()

Port = Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the HTTP API.", show_default="8080, or free")]
SmtpPort = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Port where mails are taken in.", show_default="2525, or free")
]


@app.command()
def command(
    port: Port = None,
    smtp_port: SmtpPort = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Run in the background; `down` stops it.")] = False,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option(help="How much the services tell: DESKSTREAM_LOG_LEVEL, else warning.", show_default=False),
    ] = None,
    hide_token: Annotated[bool, typer.Option("--hide-token", help="Do not print the token of the API.")] = False,
    as_json: output.AsJson = False,
) -> None:
    """Run everything here: servers and services in one process.

    Brings NATS and PostgreSQL of its own; nothing needs to be installed. Data lie in .deskstream/ of this folder and
    stay until you remove it. Ctrl-C stops everything. Logs go to stderr. With --json the first
    line is an object with the addresses.
    """
    folder = Path.cwd() / FOLDER
    _refuse_named_servers()
    ready = _Ready(as_json=as_json, hide_token=hide_token)
    if (state := read_state(folder)) and state.alive:
        output.hint(f"It runs already, as process {state.pid}.")
        ready(state)
    elif detach:
        ready(start_detached(folder, _options(port, smtp_port, log_level)))
    else:
        _configure_logs(log_level)
        with _alone(folder), in_our_words():
            around = prepare(folder, Ports(port, smtp_port), os.environ)
            serve(keep_up(Plan(folder, services.installed(), around, output.hint, ready)))


def _refuse_named_servers() -> None:
    if named := [name for name in SERVERS if os.environ.get(name)]:
        raise misused(
            f"{named[0]} is set, and `up` brings servers of its own. Unset it, or use `deskstream run all` with the "
            "servers that it names."
        )


def _configure_logs(log_level: str | None) -> None:
    with in_our_words():
        settings = read_settings(RuntimeSettings)
    # Whoever wants to see what happens follows the events with `tail`; here only trouble is news.
    level = log_level or (settings.log_level if "log_level" in settings.model_fields_set else "warning")
    # stdout is for the answer: who reads one line of it must not hold up the services with what they log.
    with redirect_stdout(sys.stderr):
        configure_logging(settings.log_format, level=level)


def _options(port: int | None, smtp_port: int | None, log_level: str | None) -> list[str]:
    given = {"--port": port, "--smtp-port": smtp_port, "--log-level": log_level}
    return [part for name, value in given.items() if value is not None for part in (name, str(value))]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The kernel lets go of the lock however this process ends."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        file = (folder / "up.lock").open("w")
    except OSError as error:
        raise Problem(f"{folder} cannot be used: {error.strerror}.") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem("Another `deskstream up` is starting or stopping here just now.") from None
        yield


class _Ready:
    """Says where everything is."""

    def __init__(self, *, as_json: bool, hide_token: bool) -> None:
        self._as_json = as_json
        self._hide_token = hide_token

    def __call__(self, state: State) -> None:
        if self._as_json:
            output.json_line(_document(state, hide_token=self._hide_token))
        else:
            self._show(state)

    def _show(self, state: State) -> None:
        token = "in .deskstream/kept.json" if self._hide_token else state.token
        relay = os.environ.get("DESKSTREAM_EMAIL_RELAY")
        out = without_password(relay) if relay else f"into {state.maildir}/ (DESKSTREAM_EMAIL_RELAY really sends)"
        output.line(Text("Deskstream runs.", style="bold green"))
        rows = [
            ("HTTP API", f"{state.api_url}/api/conversations"),
            ("Login token", token),
            ("Mail in", f"{state.smtp}, for {state.inbox}"),
            ("Mail out", out),
            ("NATS", f"{state.nats_url}, with --nkey {FOLDER}/{CREDENTIALS}/{OPERATOR}.seed"),
        ]
        output.table(["", ""], [[Text(name, style="bold"), value] for name, value in rows])
        output.hint("Next, in another terminal: deskstream send FILE.eml · deskstream tail · deskstream conversations")
        output.hint("Stop it: Ctrl-C, or `deskstream down`.")


def _document(state: State, *, hide_token: bool) -> str:
    shown: dict[str, Any] = {**asdict(state), "token": None if hide_token else state.token}
    hidden = ("born", "postgres_url")
    return output.as_document({name: value for name, value in shown.items() if name not in hidden})

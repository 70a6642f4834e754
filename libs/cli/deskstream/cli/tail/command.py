"""`deskstream tail`."""

from datetime import UTC, date, datetime
from typing import Annotated

import typer
from rich.console import Console

from deskstream.cli import output
from deskstream.cli.execution import carry_out
from deskstream.cli.place import find_place
from deskstream.cli.tail.choosing import Filters
from deskstream.cli.tail.following import Following, follow
from deskstream.cli.tail.lines import day_line, day_of, document_of, line_of
from deskstream.cli.tail.moments import read_since
from deskstream.cli.tail.seen import Seen
from deskstream.runtime.launch import reach_of

app = typer.Typer()


@app.command()
def command(  # noqa: PLR0913 - an argument for each option
    service: Annotated[list[str] | None, typer.Option("--service", "-s", help="Only what this service said.")] = None,
    event: Annotated[
        list[str] | None, typer.Option("--event", "-e", help="Only this event; * and ? stand for anything.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option("--key", "-k", help="Only about CONV-12, ACC-3, or an id or its beginning.")
    ] = None,
    text: Annotated[str, typer.Option("--text", "-t", help="Only where this text stands somewhere in the event.")] = "",
    since: Annotated[
        str | None, typer.Option(help="Begin earlier than now: 10m, 2h, 1d, 2026-05-01T10:00, beginning.")
    ] = None,
    wire: Annotated[bool, typer.Option("--wire", help="Also what arrives from adapters and leaves for them.")] = False,
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="Stop after so many.")] = None,
    until_idle: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="Stop when nothing came for so long.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each CloudEvent, one a line, for programs.")] = False,
) -> None:
    """Follow what happens, like a log: one line an event.

    Local time, who said what, about which conversation, how its stage changed, a few words, and in whose name. Rejected
    messages and refused commands are events too; what a service fails on is shown as failed or dead. A restart of NATS
    leaves neither gaps nor doubles. Streams reach three days back. Options of one kind add up (-s sla -s routing),
    those of several kinds must all hold. Ctrl-C ends it.
    """
    begin = read_since(since, datetime.now(UTC)) if since else None
    filters = Filters(tuple(service or ()), tuple(event or ()), tuple(key or ()), text, wire=wire)
    show = _show_document if as_json else _Screen().show
    servers = find_place().servers
    wanted = Following(filters, begin, count=count, until_idle_s=until_idle, dsn=servers.postgres_dsn)
    carry_out(follow(reach_of(servers), wanted, show))


def _show_document(seen: Seen, label: str) -> None:
    output.json_line(document_of(seen))


class _Screen:
    """Lines for people; on a terminal each is as wide as the terminal at most."""

    def __init__(self) -> None:
        self._console: Console = output.console()
        self._day: date = datetime.now().astimezone().date()

    def show(self, seen: Seen, label: str) -> None:
        """Prints the event, after a line with the date where that is another one."""
        if (day := day_of(seen.at)) != self._day:
            self._day = day
            self._console.print(day_line(day))
        line = line_of(seen, label)
        if self._console.is_terminal:
            line.truncate(self._console.width, overflow="ellipsis")
        self._console.print(line, soft_wrap=True)

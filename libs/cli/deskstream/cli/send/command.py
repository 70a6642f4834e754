"""`deskstream send`."""

from dataclasses import asdict
from typing import Annotated

import typer

from deskstream.cli import output
from deskstream.cli.clean import one_line
from deskstream.cli.execution import carry_out
from deskstream.cli.place import Place, find_place, host_and_port
from deskstream.cli.problem import WRONG, misused
from deskstream.cli.progress import progress
from deskstream.cli.send.delivering import Job, Sent, deliver
from deskstream.cli.send.letters import Envelope, Unusable, find_files

app = typer.Typer()


@app.command()
def command(  # noqa: PLR0913 - an argument for each option
    files: Annotated[
        list[str], typer.Argument(metavar="FILE.eml...", help="Files, folders of .eml files, - for stdin.")
    ],
    to: Annotated[list[str] | None, typer.Option("--to", help="Deliver to this address; can be repeated.")] = None,
    sender: Annotated[str | None, typer.Option("--from", help="Say that this address sends them.")] = None,
    smtp: Annotated[str | None, typer.Option(help="Mail server, host:port, instead of the desk's.")] = None,
    at_once: Annotated[int, typer.Option(min=1, max=100, help="Connections at the same time.")] = 4,
    times: Annotated[int, typer.Option(min=1, max=1_000_000, help="Send each file so many times.")] = 1,
    any_bytes: Annotated[bool, typer.Option("--any-bytes", help="Send files too that are no mails.")] = False,
    as_json: output.AsJson = False,
) -> None:
    """Send mails from .eml files to the desk, by SMTP, as another mail server would.

    They go to the inbox of the desk that runs here, whatever To says, unless --to names somebody. The sender is the
    mail's own. The desk knows a mail by its Message-ID: the same file once more has no second effect.
    """
    if "-" in files and times > 1:
        raise misused("A mail from stdin can be read only once: put it into a file to send it several times.")
    place = find_place()
    server = host_and_port(smtp) if smtp else place.mail_server
    envelope = Envelope(sender, tuple(to or ()), inbox=None if smtp else place.inbox)
    job = Job(_existing(files), server, envelope, at_once, times, any_bytes)
    with progress() as bar:
        task = bar.add_task("Sending", total=len(job.files) * times)
        sent = carry_out(deliver(job, lambda: bar.advance(task)))
    if as_json:
        output.say_json(asdict(sent) | {"per_second": sent.per_second})
    else:
        _tell(sent, place, f"{server[0]}:{server[1]}")
    if sent.rejections:
        raise typer.Exit(WRONG)


def _existing(files: list[str]) -> list[str]:
    try:
        return find_files(files)
    except Unusable as no:
        raise misused(str(no)) from None


def _tell(sent: Sent, place: Place, server: str) -> None:
    rate = f" ({sent.per_second:,.0f} a second)" if sent.accepted > 1 else ""
    output.line(f"{output.count_of(sent.accepted, 'mail')} accepted by {server}{rate}.")
    if sent.rejections:
        rows = [[one_line(r.file), str(r.code or "–"), one_line(r.reason, 300)] for r in sent.rejections]
        output.table(["not accepted", "code", "reason"], rows)
    elif place.folder:
        output.hint("What became of them: `deskstream conversations`; as it happens: `deskstream tail`.")

"""`deskstream adapter`: what authors of adapters ask, and which adapters this folder's desk has."""

from pathlib import Path
from typing import Annotated

import typer

from deskstream.cli import output
from deskstream.cli.adapter import adding, checking, conforming
from deskstream.cli.execution import carry_out
from deskstream.cli.problem import WRONG

app = typer.Typer(
    no_args_is_help=True,
    help="Adapters that are not installed here: name them to the desk, check their messages, hold them to the suite.",
)

Channel = Annotated[str, typer.Argument(metavar="CHANNEL", help="Its channel, like pager.")]


@app.command()
def add(channel: Channel, as_json: output.AsJson = False) -> None:
    """Name a channel to the desk of this folder: it gets stream, durable and user, and replies leave by it.

    Every command here is told it from now on. Servers that the environment names belong to another desk; that one
    is told by DESKSTREAM_EXTRA_CHANNELS.
    """
    adding.tell(adding.add(channel), as_json=as_json)


@app.command()
def remove(channel: Channel, as_json: output.AsJson = False) -> None:
    """Forget a channel that was added here. Its stream stays, with what is in it; replies leave by it no more."""
    adding.tell(adding.remove(channel), as_json=as_json)


@app.command()
def check(
    files: Annotated[
        list[str], typer.Argument(metavar="FILES...", help="JSON files, folders of them, or - for stdin.")
    ],
    subject: Annotated[
        str | None, typer.Option(help="Where it would be published, like inbound.pager.oncall.", metavar="SUBJECT")
    ] = None,
    as_json: output.AsJson = False,
) -> None:
    """Check messages and delivery reports without any server.

    Each file is what an adapter would publish on inbound.<channel>.<inbox>. Says field and reason as `message_rejected`
    would, and notes fields that nobody reads. Exit code 1 if one would be rejected.
    """
    found = checking.verdicts(files, subject)
    if as_json:
        output.say_json({"files": [verdict.document() for verdict in found]})
    else:
        checking.tell(found)
    if not all(verdict.ok for verdict in found):
        raise typer.Exit(WRONG)


@app.command()
def conform(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The recorded cases, like conformance.toml.")],
    as_json: output.AsJson = False,
) -> None:
    """Hold an adapter, in whatever language, against the suite that all our channels pass.

    The file names payloads that the provider really sent, by topic, and the command that starts the adapter. It gets a
    broker of its own in DESKSTREAM_NATS_URL; nothing else runs. Exit code 1 if a topic fails.
    """
    cases, run = conforming.recorded(file)
    report = carry_out(conforming.conform(cases, run))
    if as_json:
        output.say_json(
            {
                "channel": report.channel,
                "conforms": report.conforms,
                "holds": report.passed,
                "absent": report.absent,
                "fails": report.failed,
            }
        )
    else:
        conforming.tell(report)
    if not report.conforms:
        raise typer.Exit(WRONG)

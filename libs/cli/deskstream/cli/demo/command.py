"""`deskstream demo`: plays the story, or one chapter of it."""

from __future__ import annotations

from typing import Annotated

import typer

from deskstream.cli import output
from deskstream.cli.demo.story import CHAPTERS, play
from deskstream.cli.demo.telling import Teller
from deskstream.cli.execution import carry_out
from deskstream.cli.problem import misused

app = typer.Typer()


@app.command()
def command(
    chapter: Annotated[
        list[str] | None, typer.Option("--chapter", help=f"Only this one of: {', '.join(CHAPTERS)}. Can be repeated.")
    ] = None,
    as_json: output.AsJson = False,
) -> None:
    """Watch real mails become owned, clocked conversations, and the answers leave.

    Starts NATS, PostgreSQL and all services on free ports of this machine, in a folder that is gone afterwards; sends
    mails of many kinds by SMTP, answers them through the API, and tells what happened with times. Takes less than a
    minute. `deskstream up` runs the same and stays.
    """
    unknown = [name for name in chapter or () if name not in CHAPTERS]
    if unknown:
        raise misused(f"There is no chapter {unknown[0]!r}; there are {', '.join(CHAPTERS)}.")
    story = carry_out(play(chapter or list(CHAPTERS), Teller(quiet=as_json)))
    if as_json:
        output.say_json(story)
    else:
        output.hint("`deskstream up` runs all this and stays; `deskstream --help` shows what else there is.")

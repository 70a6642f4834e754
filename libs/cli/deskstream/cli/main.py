"""The `deskstream` command: finds the module of the command that is called, and tells what goes wrong in a sentence."""

import io
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Context
from typer.core import TyperGroup

from deskstream.cli import output
from deskstream.cli.folder import channels_told
from deskstream.cli.problem import Problem
from deskstream.cli.registry import COMMANDS, flowing

INTERRUPTED = 130


class Commands(TyperGroup):
    """All commands by their stubs; the real one is loaded when it is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: entry.stub() for name, entry in COMMANDS.items()}
        self.help = flowing(self.help or "")

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, stub, rest = super().resolve_command(ctx, args)
        return name, stub and COMMANDS[name or ""].load(), rest

    def invoke(self, ctx: Any) -> Any:
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except Problem as problem:
            output.tell_problem(problem, as_json=as_json)
            raise typer.Exit(problem.code) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # Who read our output has seen enough (`deskstream tail | head`): that is no failure.
            output.swallow_the_rest()
            raise typer.Exit(0) from None


app = typer.Typer(
    cls=Commands,
    name="deskstream",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="New here? `deskstream up`, then in a second terminal `deskstream send FILE.eml` and `deskstream tail`.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        output.line(f"deskstream {import_module('deskstream.cli.version').VERSION}")
        raise typer.Exit


@app.callback()
def deskstream(
    ctx: Context,
    shown: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Support desk on an event stream: run it, use it, watch it, mend it.

    Commands talk to the desk that [bold]deskstream up[/bold] runs in this folder or one above it, or to the servers
    that DESKSTREAM_NATS_URL and DESKSTREAM_POSTGRES_URL name. Exit codes: 0 fine, 1 something is wrong, 2 misused.
    """
    ctx.with_resource(channels_told(os.environ, Path.cwd()))


def _as_ctrl_c(number: int, frame: object) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell lets what it starts in the background ignore Ctrl-C.
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


def main() -> None:
    """The entry point."""
    # Whatever ends a command ends what it started, too: servers and services of a demo, a bench, a fault run.
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal of another charset shows ? for what it cannot; it does not end the command.
            stream.reconfigure(errors="replace")
    app()

"""Which commands there are, and where each lies: a module is imported when its command is called, not before.

A module has an `app`: a `typer.Typer` with one command, or with a group of them.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

RUN: Final = "Run it"
USE: Final = "Use it"
WATCH: Final = "Watch and mend it"
BUILD: Final = "Build on it"


@dataclass(frozen=True, slots=True)
class Entry:
    """A command as `deskstream --help` shows it."""

    name: str
    module: str
    help: str
    panel: str

    def stub(self) -> TyperCommand:
        """Stands for the command in the list of all."""
        return TyperCommand(self.name, help=self.help, rich_help_panel=self.panel)

    def load(self) -> TyperCommand | TyperGroup:
        """The command itself."""
        app: typer.Typer = import_module(self.module).app
        command = get_command(app)
        assert isinstance(command, (TyperCommand, TyperGroup))
        command.name = self.name
        # Completion is of the whole command line, so it is offered there only.
        command.params = [param for param in command.params if param.name not in _COMPLETION]
        for one in (command, *getattr(command, "commands", {}).values()):
            one.help = flowing(one.help or "")
        return command


_COMPLETION: Final = ("install_completion", "show_completion")


def flowing(text: str) -> str:
    """A docstring's paragraphs without the line breaks of its source: a terminal has a width of its own."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


_ENTRIES: Final = (
    Entry("demo", "deskstream.cli.demo.command", "Watch real mails become answered conversations.", RUN),
    Entry("up", "deskstream.cli.up.command", "Run everything here: servers and services in one process.", RUN),
    Entry("down", "deskstream.cli.up.down", "Stop what `up` runs here. What was said and kept stays.", RUN),
    Entry("run", "deskstream.cli.run", "Run some services, or all, on servers of your own.", RUN),
    Entry("migrate", "deskstream.cli.migrate", "Bring the database up to date.", RUN),
    Entry("provision", "deskstream.cli.provision", "Make the streams and durables that the services need.", RUN),
    Entry("send", "deskstream.cli.send.command", "Send mails from .eml files to the desk.", USE),
    Entry("conversations", "deskstream.cli.inbox.listing", "List the inbox.", USE),
    Entry("reply", "deskstream.cli.inbox.replying", "Answer a customer.", USE),
    Entry("why", "deskstream.cli.why.command", "Why this owner, and why is it due then?", USE),
    Entry("tickets", "deskstream.cli.work.tickets", "List tickets: trackers, stages, whose, on which part.", USE),
    Entry("issues", "deskstream.cli.work.issues", "List issues with the tickets that hang on them.", USE),
    Entry("chain", "deskstream.cli.work.chain", "Draw what hangs together, from any member.", USE),
    Entry("crm", "deskstream.cli.crm", "Accounts and contacts: import them from a CSV file.", USE),
    Entry("routing", "deskstream.cli.routing", "Agents and keyword rules: show them, apply a TOML file.", USE),
    Entry("tail", "deskstream.cli.tail.command", "Follow what happens, like a log: one line an event.", WATCH),
    Entry("doctor", "deskstream.cli.doctor.command", "Find what is wrong, and how to mend it.", WATCH),
    Entry("reconcile", "deskstream.cli.reconcile.command", "Hold streams against journals; mend what differs.", WATCH),
    Entry("dead-letters", "deskstream.cli.letters.command", "Messages that keep failing: retry or drop them.", WATCH),
    Entry("bench", "deskstream.cli.bench.command", "Measure throughput and latency of the whole path.", BUILD),
    Entry(
        "faults", "deskstream.cli.faults.command", "Kill and cut what runs, and count what got lost: nothing.", BUILD
    ),
    Entry("adapter", "deskstream.cli.adapter.command", "Add an adapter of elsewhere; check what it publishes.", BUILD),
    Entry("new", "deskstream.cli.new.command", "Make a channel or a service that works before you change it.", BUILD),
    Entry("asyncapi", "deskstream.cli.documents.asyncapi", "Print all messages and subjects as AsyncAPI 3.", BUILD),
    Entry("schemas", "deskstream.cli.documents.schemas", "Write the JSON Schemas of all messages again.", BUILD),
)

COMMANDS: Final = {entry.name: entry for entry in _ENTRIES}
"""By name, in the order of the help."""

"""`deskstream new channel` and `new service`."""

from pathlib import Path
from typing import Annotated

import typer

from deskstream.cli import output
from deskstream.cli.new.naming import Kind, named
from deskstream.cli.new.writing import find_root, write

app = typer.Typer(no_args_is_help=True, help="A channel or a service with every room it needs, ready to be changed.")

_NEXT = {
    "channel": "docs/how-to/add-a-channel.md goes on: put payloads that the provider really sent into tests/recorded.",
    "service": "docs/how-to/add-a-service.md goes on: write what it owns, and the first rows of its table.",
}


@app.command()
def channel(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The channel, like sms.")], as_json: output.AsJson = False
) -> None:
    """Make services/channel_NAME: signed webhooks in, replies out by HTTP, and the suite that all channels pass.

    It works as it is, for a provider that speaks as its tests record. Streams, durables and the right to send follow
    from its being installed; docker-compose.yml and deploy/k8s get a section for it, and their settings its name.
    """
    _make("channel", name, as_json=as_json)


@app.command()
def service(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The service, like billing.")],
    as_json: output.AsJson = False,
) -> None:
    """Make services/NAME: a service that hears conversations and keeps a table, with every room and its tests.

    It works as it is. docker-compose.yml and deploy/k8s get a section for it; nothing else is touched.
    """
    _make("service", name, as_json=as_json)


def _make(kind: Kind, name: str, *, as_json: bool) -> None:
    root = find_root(Path.cwd())
    made = named(kind, name, root)
    files = write(made, root)
    if as_json:
        output.say_json({"kind": kind, "name": name, "folder": made.folder, "files": files})
        return
    beside = [path for path in files if not path.startswith(f"{made.folder}/")]
    output.line(f"Made {made.folder}, {output.count_of(len(files) - len(beside), 'file')}.")
    if beside:
        output.line(f"It is deployed like its neighbours: {', '.join(beside)}.")
    output.hint(f"`make setup` installs it; `make {kind} NAME={name}` does both. {_NEXT[kind]}")

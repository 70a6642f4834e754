"""`deskstream provision`: the streams and durables that the services' declarations ask for."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.js.errors import ServiceUnavailableError
from nats.js.manager import JetStreamManager

from deskstream.cli import output, services
from deskstream.cli.asking import connected
from deskstream.cli.execution import carry_out
from deskstream.cli.permissions.command import layout_of, write_permissions
from deskstream.cli.place import find_place
from deskstream.cli.problem import WRONG, NoAnswer, Problem
from deskstream.cli.waiting import Wait, waiting
from deskstream.messaging import Declaration
from deskstream.messaging.connection import Reach
from deskstream.messaging.permissions import Apart
from deskstream.messaging.topology import Change, provision, topology
from deskstream.runtime.channels import adapters_elsewhere
from deskstream.runtime.privileges.broker import Production
from deskstream.runtime.reach import reach_of

app = typer.Typer()

UNCHANGED = "unchanged"
DIFFERS = "differs"
STORE = Production().store

_NO_STREAMS = (TimeoutError, NoRespondersError, ServiceUnavailableError)
"""What asking for streams ends in while only the rest of the broker is there."""


class _LookOnly(JetStreamManager):
    """Reads what is there, and leaves it so."""

    async def add_stream(self, *_: Any, **__: Any) -> Any:
        return None

    async def update_stream(self, *_: Any, **__: Any) -> Any:
        return None

    async def add_consumer(self, *_: Any, **__: Any) -> Any:
        return None


class _Onlooker(Client):
    """A client through whose eyes `provision` says what it would do."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client

    def jsm(self, **_: Any) -> JetStreamManager:
        return _LookOnly(self._client)


async def planned(client: Client, declarations: Sequence[Declaration]) -> list[Change]:
    """What provisioning would do; changes nothing."""
    return await provision(_Onlooker(client), wanted(declarations))


async def provision_all(
    reach: Reach,
    declarations: Sequence[Declaration],
    *,
    check: bool = False,
    replicas: int | None = None,
    durables: bool = False,
) -> list[Change]:
    """Makes what is missing; says what was done, or with `check` what would be. Raises NoAnswer."""
    async with connected(reach) as client:
        try:
            if check:
                return await planned(client, declarations)
            return await provision(client, wanted(declarations), replicas=replicas, change_durables=durables)
        except _NO_STREAMS as error:
            why = str(error).removeprefix("nats: ") or type(error).__name__
            raise NoAnswer(f"NATS answers, its JetStream does not ({why}). Is it starting, or not turned on?") from None


def wanted(declarations: Sequence[Declaration]) -> Any:
    """Streams and durables of these services, and of the adapters that run elsewhere.

    Raises Problem where their declarations contradict each other.
    """
    try:
        return topology([*declarations, *adapters_elsewhere()])
    except ValueError as error:
        raise Problem(f"The services' declarations do not fit together: {error}.") from None


@app.command()
def command(  # noqa: PLR0913 - an argument for each option
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit code 1 if something differs.")] = False,
    replicas: Annotated[
        int | None, typer.Option(min=1, max=5, help="Copies of each stream in a NATS cluster.", show_default="as it is")
    ] = None,
    durables: Annotated[
        bool, typer.Option("--durables", help="Change durables back that somebody has changed.")
    ] = False,
    wait: Wait = 0,
    permissions: Annotated[
        bool, typer.Option("--permissions", help="Write who may do what at NATS and PostgreSQL, as files.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for --permissions.")] = Path("permissions"),
    host: Annotated[
        list[str] | None, typer.Option(help="Name by which NATS is reached: it listens everywhere, with TLS.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="Where NATS sees OUT/nats, if elsewhere: /etc/nats.")] = None,
    store: Annotated[str, typer.Option(help="Where NATS keeps the streams.")] = STORE,
    accounts: Annotated[
        Apart, typer.Option(help="Who gets a NATS account of his own: safest for everybody, fastest for adapters only.")
    ] = Apart.EVERYBODY,
    as_json: output.AsJson = False,
) -> None:
    """Make the streams and durables that the services need.

    They follow from what each service declares that it hears and says. Nothing is deleted and no reader loses its
    place, so this can be repeated; services may use what is here made, and change none of it.

    With --permissions, instead, files are written from the same declarations: a configuration by which NATS lets
    each service do what it needs and nothing else, PostgreSQL roles likewise, and a secret for each service, which
    stays when this is repeated. It needs no server. Nothing secret is shown.
    """
    if permissions:
        write_permissions(layout_of(out, host or [], at, store, accounts), check=check, as_json=as_json)
        return
    reach, installed = reach_of(find_place().servers), services.installed()
    work = partial(provision_all, reach, installed, check=check, replicas=replicas, durables=durables)
    changes = carry_out(waiting(wait, work))
    differing = [change for change in changes if change.how != UNCHANGED]
    if as_json:
        output.say_json({"checked" if check else "provisioned": [asdict(change) for change in changes]})
    else:
        _tell(changes, differing, check=check)
    if check and differing:
        raise typer.Exit(WRONG)


def _tell(changes: Sequence[Change], differing: Sequence[Change], *, check: bool) -> None:
    if not differing:
        output.line(f"All {len(changes)} streams and durables are as they should be.")
        return
    output.table(["what", "how", "why"], [[change.what, _how(change, check=check), change.why] for change in differing])
    for change in differing:
        if change.mend:
            output.hint(f"{change.what}: {change.mend}")
    if check and any(change.how != DIFFERS for change in differing):
        output.hint("`deskstream provision` does it.")


def _how(change: Change, *, check: bool) -> str:
    return f"would be {change.how}" if check and change.how != DIFFERS else change.how

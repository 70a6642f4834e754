"""`deskstream dead-letters list | show | retry | drop`."""

import getpass
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Annotated, Any

import typer

from deskstream.cli import output
from deskstream.cli.database import Connection, database, undone
from deskstream.cli.execution import carry_out
from deskstream.cli.letters import showing
from deskstream.cli.letters.finding import Found, find_all, find_named
from deskstream.cli.letters.mending import Mended, drop_all, retry_all
from deskstream.cli.place import find_place
from deskstream.cli.problem import WRONG, misused
from deskstream.messaging.dead_letters import Author, Wanted

app = typer.Typer(no_args_is_help=True)

MOST = 10_000

Service = Annotated[str | None, typer.Option("--service", "-s", help="Only of this service.")]
Lane = Annotated[str | None, typer.Option(help="Only of this lane, like events.crm.")]
Key = Annotated[str | None, typer.Option("--key", "-k", help="Only about the object of this id.")]
Reason = Annotated[str | None, typer.Option(help="Only where the reason has this text.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAMES]...", help="As `list` names them: crm/3f2a91c0.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what would be done.")]


@app.callback()
def dead_letters() -> None:
    """Messages that keep failing: retry or drop them.

    A message on which a service fails is tried 8 times within an hour; then it is dead. Later messages about the same
    object wait behind it, all others go on. After a fix [bold]retry[/bold] lets them continue in order.
    """


@app.command("list")
def list_them(  # noqa: PLR0913 - an argument for each option
    service: Service = None,
    lane: Lane = None,
    key: Key = None,
    reason: Reason = None,
    dead_only: Annotated[bool, typer.Option("--dead", help="Only those that nobody tries any more.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="No more than so many.")] = 100,
    as_json: output.AsJson = False,
) -> None:
    """List what fails: dead ones, and those that are still tried; oldest first."""
    wanted = Wanted(dead_only=dead_only, lane=lane, key=key, reason=reason, limit=limit)
    found = carry_out(_on_database(partial(find_all, wanted=wanted, service=service)))
    if as_json:
        output.say_json({"dead_letters": [showing.as_json(one) for one in found]})
    else:
        showing.show_list(found)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="As `list` names it: crm/3f2a91c0.")], as_json: output.AsJson = False
) -> None:
    """Show one with its message, the reason, the handler and the stack."""
    (found,) = carry_out(_on_database(partial(find_named, names=[name])))
    if as_json:
        output.say_json(showing.as_json(found, whole=True))
    else:
        showing.show_one(found)


@app.command()
def retry(  # noqa: PLR0913 - an argument for each option
    names: Names = None,
    everything: Annotated[bool, typer.Option("--all", help="All that match the filters.")] = False,
    service: Service = None,
    lane: Lane = None,
    key: Key = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: output.AsJson = False,
) -> None:
    """Have them tried again at once, in their order; for instance after a fix.

    Each has its 8 tries before it again. What waits behind it follows as soon as it succeeds.
    """
    wanted = Wanted(lane=lane, key=key, reason=reason, limit=MOST)
    if bool(names) == everything:
        raise misused("Name those to retry, as `deskstream dead-letters list` names them; or say --all, with filters.")
    choose = partial(find_named, names=names) if names else partial(find_all, wanted=wanted, service=service)
    mended = carry_out(_mend(choose, retry_all, dry_run=dry_run))
    _tell(mended, "Would retry" if dry_run else "Retrying", as_json=as_json)


@app.command()
def drop(
    names: Names = None,
    reason: Annotated[str, typer.Option(help="Why nobody needs it; it is written down.", show_default=False)] = "",
    author: Annotated[str | None, typer.Option(help="Who drops it.", show_default="who is logged in")] = None,
    dry_run: DryRun = False,
    as_json: output.AsJson = False,
) -> None:
    """Go on without them. This cannot be undone: what they should have done is never done.

    Each is written down with author, reason and content; what waits behind it is handled next.
    """
    if not names:
        raise misused("Name those to drop, as `deskstream dead-letters list` names them.")
    if not reason.strip():
        raise misused("Say why: --reason TEXT. It is written down beside the message.")
    by = Author(author or getpass.getuser(), reason.strip())
    mended = carry_out(_mend(partial(find_named, names=names), partial(drop_all, author=by), dry_run=dry_run))
    _tell(mended, "Would drop" if dry_run else "Dropped", as_json=as_json)


Choose = Callable[[Connection], Awaitable[list[Found]]]


async def _mend(
    choose: Choose, mend: Callable[[Connection, Sequence[Found]], Awaitable[list[Mended]]], *, dry_run: bool
) -> list[Mended]:
    async with database(find_place().servers.postgres_dsn) as connection:
        chosen = await choose(connection)
        async with undone(connection) if dry_run else nullcontext():
            return await mend(connection, chosen)


async def _on_database(work: Choose) -> list[Found]:
    async with database(find_place().servers.postgres_dsn) as connection:
        return await work(connection)


def _tell(mended: Sequence[Mended], verb: str, *, as_json: bool) -> None:
    if as_json:
        output.say_json({"messages": [_told(one) for one in mended]})
    elif not mended:
        output.line("There is nothing that matches.")
    else:
        showing.show_mended(mended, verb)
    if not all(one.done for one in mended):
        raise typer.Exit(WRONG)


def _told(mended: Mended) -> dict[str, Any]:
    return {"name": mended.found.name, "done": mended.done, "why_not": None if mended.done else mended.why_not}

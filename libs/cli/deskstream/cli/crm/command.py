"""`deskstream crm import`."""

import sys
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from deskstream.cli import output
from deskstream.cli.asking import insist_on, services_of
from deskstream.cli.clean import one_line
from deskstream.cli.crm.importing import Imported, check_file, import_file
from deskstream.cli.execution import carry_out, in_our_words
from deskstream.cli.place import Place, find_place
from deskstream.cli.problem import WRONG, misused
from deskstream.cli.progress import Moved, progress

app = typer.Typer(no_args_is_help=True)

SHOWN = 100


@app.callback()
def crm() -> None:
    """Accounts and contacts: import them from a CSV file."""


@app.command("import")
def import_(
    file: Annotated[str, typer.Argument(metavar="FILE.csv", help="UTF-8, with a header; - for stdin.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only read the file, and say what is wrong in it.")
    ] = False,
    as_json: output.AsJson = False,
) -> None:
    """Import accounts and contacts from a CSV file; what is there already is changed.

    Columns of accounts: account, domains, stage, tier, priority, default_owner, workspaces. Of contacts: email, name,
    phone, account, workspace. Order and delimiter do not matter; empty cells change nothing. Rows that cannot be taken
    are listed with their reasons, all others are imported; the same file can be imported again.
    """
    with _opened(file) as content, in_our_words():
        imported = check_file(content) if dry_run else _import(content, find_place())
    if as_json:
        output.say_json(asdict(imported))
    else:
        _tell(imported, "would be imported" if dry_run else "imported")
    if imported.rejected:
        raise typer.Exit(WRONG)


def _opened(file: str) -> BinaryIO:
    """Both can be read twice. Raises Problem for a file that cannot be read."""
    if file == "-":
        return BytesIO(sys.stdin.buffer.read())
    try:
        if Path(file).is_dir():
            raise misused(f"{file} is a folder: name a CSV file.")
        return Path(file).open("rb")
    except OSError as error:
        raise misused(f"{file} cannot be read: {error.strerror}.") from None


def _import(content: BinaryIO, place: Place) -> Imported:
    with progress(counted=False) as bar:
        task = bar.add_task("Importing", total=2 * content.seek(0, 2))
        return carry_out(_ask_for_all(content, place, lambda read: bar.update(task, completed=read)))


async def _ask_for_all(content: BinaryIO, place: Place, moved: Moved) -> Imported:
    async with services_of(place) as client:
        await insist_on(client, "crm")
        return await import_file(client, content, moved)


def _tell(imported: Imported, done: str) -> None:
    accounts = output.count_of(imported.accounts, "account")
    contacts = output.count_of(imported.contacts, "contact")
    output.line(f"{accounts} and {contacts} {done}.")
    shown = imported.rejected[:SHOWN]
    if shown:
        rows = [[str(r.line), one_line(r.column), one_line(r.reason, 300), one_line(r.value, 60)] for r in shown]
        output.table(["line", "column", "left out because", "value"], rows)
    if len(imported.rejected) > SHOWN:
        output.hint(f"{len(imported.rejected) - SHOWN} more; --json shows all of them.")

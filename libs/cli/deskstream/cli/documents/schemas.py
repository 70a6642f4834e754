"""`deskstream schemas`."""

from pathlib import Path
from typing import Annotated

import typer

from deskstream.cli import output
from deskstream.cli.problem import WRONG, Problem, misused
from deskstream.contracts import schemas

app = typer.Typer()


@app.command()
def command(
    folder: Annotated[
        Path, typer.Option(help="Where they lie.", show_default="libs/contracts/schemas of the checkout")
    ] = schemas.FOLDER,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 if one is out of date.")] = False,
    as_json: output.AsJson = False,
) -> None:
    """Write the JSON Schemas of all messages again, where they are checked in.

    A change that older readers or writers could not cope with is refused, and nothing is written.
    """
    try:
        files = _out_of_date(folder) if check else [_named(file, folder) for file in schemas.write(folder)]
    except schemas.BreakingChange as change:
        raise Problem(f"These changes break what others rely on:\n{change}") from None
    except OSError as error:
        raise misused(f"{error.filename or folder} cannot be written or read: {error.strerror}.") from None
    if as_json:
        output.say_json({"out_of_date" if check else "written": files})
    else:
        _tell(files, check=check)
    if check and files:
        raise typer.Exit(WRONG)


def _out_of_date(folder: Path) -> list[str]:
    there, now = schemas.read(folder), schemas.schemas()
    return sorted(name for name in there.keys() | now.keys() if there.get(name) != now.get(name))


def _named(file: Path, folder: Path) -> str:
    return file.relative_to(folder).with_suffix("").as_posix()


def _tell(files: list[str], *, check: bool) -> None:
    if not files:
        output.line("All schemas are up to date.")
        return
    output.table(["out of date" if check else "written"], [[name] for name in files])
    if check:
        output.hint("`deskstream schemas` writes them.")

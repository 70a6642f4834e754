"""`deskstream migrate`: each service's SQL files that the database lacks, applied in their order."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated

import typer

from deskstream.cli import output, services
from deskstream.cli.database import database
from deskstream.cli.execution import carry_out
from deskstream.cli.place import find_place
from deskstream.cli.problem import WRONG
from deskstream.cli.waiting import Wait, waiting
from deskstream.messaging import Declaration
from deskstream.runtime.migrations import migrate, missing_migrations
from deskstream.runtime.privileges.grants import grants
from deskstream.runtime.schemas import schemas

app = typer.Typer()


@dataclass(frozen=True, slots=True)
class Step:
    """One file in one schema."""

    schema: str
    file: str


async def migrate_all(dsn: str, declarations: Sequence[Declaration], *, check: bool = False) -> list[Step]:
    """Brings every schema up to date; says what was applied, or with `check` what would be.

    Roles of services, where there are any, get what they need on the tables that are new.
    """
    carry = missing_migrations if check else migrate
    async with database(dsn) as connection:
        steps = [
            Step(schema, str(migration))
            for schema, sources in schemas(declarations).items()
            for migration in await carry(connection, schema, sources)
        ]
        if not check:
            await grants(connection, [declaration.name for declaration in declarations])
    return steps


@app.command()
def command(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 if something is missing.")
    ] = False,
    wait: Wait = 0,
    as_json: output.AsJson = False,
) -> None:
    """Bring the database up to date.

    Each service has a schema of its own and plain SQL files. What was applied is remembered, so this can be repeated;
    several at once wait for each other. It is safe while the release before is still running.
    """
    dsn, installed = find_place().servers.postgres_dsn, services.installed()
    steps = carry_out(waiting(wait, partial(migrate_all, dsn, installed, check=check)))
    if as_json:
        output.say_json({"missing" if check else "applied": [asdict(step) for step in steps]})
    else:
        _tell(steps, check=check)
    if check and steps:
        raise typer.Exit(WRONG)


def _tell(steps: Sequence[Step], *, check: bool) -> None:
    if not steps:
        output.line("The database is up to date.")
        return
    output.table(["schema", "missing" if check else "applied"], [[step.schema, step.file] for step in steps])
    if check:
        output.hint("`deskstream migrate` applies them.")

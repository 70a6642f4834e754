"""`deskstream reconcile`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.progress import Progress, TaskID

from deskstream.cli import output, services
from deskstream.cli.asking import connected
from deskstream.cli.database import database
from deskstream.cli.execution import carry_out
from deskstream.cli.place import Place, find_place
from deskstream.cli.problem import WRONG
from deskstream.cli.progress import progress
from deskstream.cli.reconcile.working import Reporting, Result, compare_all, lanes_of, mend
from deskstream.messaging import Declaration
from deskstream.messaging.reconcile.lists import Differences
from deskstream.runtime.launch import reach_of

app = typer.Typer()

SHOWN = 5


@app.command()
def command(
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="SERVICE...", help="Only what these services say; all if none.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Mend what is found; without it nothing changes.")] = False,
    as_json: output.AsJson = False,
) -> None:
    """Hold the streams against the journals: what does one have that the other lacks?

    Three lists a lane. What the journal has and the stream lacks (the store was lost or put back) is published again.
    What the stream has and the journal lacks (the database was put back) is journaled again, and every service hears
    again what its database has forgotten; messages that may have left are looked up before they are sent again.
    Numbers that were given twice are shown and left as they are. Services may run meanwhile. Exit code 1 if anything
    differs, or is left after --apply.
    """
    chosen = services.chosen(wanted) if wanted else services.installed()
    with progress() as bar:
        results = carry_out(_work(find_place(), chosen, _reporting(bar), apply=apply))
    wrong = [result for result in results if _is_wrong(result, applied=apply)]
    if as_json:
        output.say_json({"ok": not wrong, "applied": apply, "lanes": [_document(result) for result in results]})
    else:
        _tell(results, applied=apply)
    if wrong:
        raise typer.Exit(WRONG)


async def _work(
    place: Place, declarations: Sequence[Declaration], reporting: Reporting, *, apply: bool
) -> list[Result]:
    async with connected(reach_of(place.servers)) as client, database(place.servers.postgres_dsn) as connection:
        lanes = await lanes_of(client, connection, declarations)
        results = await compare_all(client, connection, lanes, reporting)
        if not apply or all(result.lists.none for result in results):
            return results
        return await mend(client, connection, results, services.installed(), reporting)


def _reporting(bar: Progress) -> Reporting:
    task: TaskID = bar.add_task("comparing", total=None)
    return Reporting(
        step=lambda what, total: bar.reset(task, description=what, total=total), moved=lambda by: bar.advance(task, by)
    )


def _is_wrong(result: Result, *, applied: bool) -> bool:
    return bool(result.lists.given_twice.number) if applied else not result.lists.none


def _tell(results: Sequence[Result], *, applied: bool) -> None:
    differing = [result for result in results if not result.lists.none]
    if not differing:
        output.line(_all_fit(results))
        return
    columns = ["lane", "stream lacks", "journal lacks", "number given twice"]
    output.table(columns, [[result.lane.name, *map(_count, _lists(result).values())] for result in differing])
    for result in differing:
        for name, differences in _lists(result).items():
            _name_some(f"{result.lane.name}: {name.replace('_', ' ')}", differences)
    _say_what_next(differing, applied=applied)


def _all_fit(results: Sequence[Result]) -> str:
    if len(results) == 1:
        return f"The stream and the journal of {results[0].lane.name} fit."
    return f"All {len(results)} streams and journals fit."


def _name_some(title: str, differences: Differences) -> None:
    if not differences.number:
        return
    rows = [
        [one.key, str(one.sequence), str(one.message_id), str(one.position or "")] for one in differences.first[:SHOWN]
    ]
    more = f", the first {SHOWN} of {differences.number:,}" if differences.number > SHOWN else ""
    output.table(["key", "number", "id", "position"], rows, title=f"\n{title}{more}")


def _say_what_next(differing: Sequence[Result], *, applied: bool) -> None:
    if not applied:
        output.hint("\n`deskstream reconcile --apply` mends this; `--help` says how.")
        return
    owed, back = sum(one.owed for one in differing), sum(one.taken_back for one in differing)
    lost = sum(one.numbers_lost for one in differing)
    output.line(f"\n{owed:,} events published again, {back:,} journaled again, {lost:,} numbers closed as lost.")
    if any(one.lists.given_twice.number for one in differing):
        output.hint(
            "Numbers given twice stay: readers keep what they heard first. Look at those objects; docs/how-to/"
            "rebuild-the-broker.md says how a reader is built anew."
        )


def _lists(result: Result) -> dict[str, Differences]:
    lists = result.lists
    return {
        "missing_in_stream": lists.missing_in_stream,
        "missing_in_journal": lists.missing_in_journal,
        "given_twice": lists.given_twice,
    }


def _count(differences: Differences) -> str:
    return f"{differences.number:,}" if differences.number else "–"


def _document(result: Result) -> dict[str, Any]:
    return {
        "service": result.lane.service,
        "lane": result.lane.name,
        "stream": result.lane.state.name,
        **{name: _as_json(differences) for name, differences in _lists(result).items()},
        "published_again": result.owed,
        "journaled_again": result.taken_back,
        "numbers_lost": result.numbers_lost,
    }


def _as_json(differences: Differences) -> dict[str, Any]:
    first = [
        {"key": one.key, "number": one.sequence, "id": str(one.message_id), "position": one.position or None}
        for one in differences.first
    ]
    return {"number": differences.number, "first": first}

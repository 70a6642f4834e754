"""`deskstream issues`."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from deskstream.cli import output
from deskstream.cli.asking import Client, ask, services_of
from deskstream.cli.clean import one_line
from deskstream.cli.execution import carry_out
from deskstream.cli.place import Place, find_place
from deskstream.cli.problem import misused
from deskstream.cli.work.names import number_of
from deskstream.contracts.issues import FindPart, ListIssues
from deskstream.contracts.linked import IssueStage

app = typer.Typer()

PAGE: Final = 100
_STYLES: Final = {"triage": "bold green", "completed": "dim", "wont_fix": "dim", "duplicate": "dim"}


@app.command()
def command(  # noqa: PLR0913 - an argument for each option
    stage: Annotated[str | None, typer.Option(help="Only this stage.")] = None,
    still_open: Annotated[bool, typer.Option("--open", help="Only what is not over.")] = False,
    owner: Annotated[str | None, typer.Option(help="Only this agent's.")] = None,
    part: Annotated[str | None, typer.Option(help="PART-4.")] = None,
    sort: Annotated[str, typer.Option(help="newest, or weight: most tickets first.")] = "newest",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="No more than so many.")] = 25,
    as_json: output.AsJson = False,
) -> None:
    """List issues with their weight: how many tickets hang on each, of how many customers.

    Stages: triage, backlog, prioritized, in_development, in_review, in_testing, in_deployment, completed, wont_fix,
    duplicate. Confidential ones are shown too: this is for the dev org.
    """
    if stage is not None and stage not in list(IssueStage):
        raise misused(f"{stage!r} is no stage: it is one of {', '.join(IssueStage)}.")
    if sort not in ("newest", "weight"):
        raise misused(f"{sort!r} is no order: it is newest or weight.")
    filters = {"stage": stage, "open": True if still_open else None, "owner": owner, "sort": sort}
    found, more = carry_out(_list(find_place(), filters, part, limit))
    if as_json:
        output.say_json({"issues": found, "more": more})
        return
    if not found:
        output.line("There is no such issue.")
        return
    output.table(["", "stage", "owner", "part", "tickets", "customers", "title"], [_row(issue) for issue in found])
    if more:
        output.hint(f"There are more than {limit}: --limit shows more, --stage and --owner narrow it down.")


async def _list(
    place: Place, filters: Mapping[str, Any], part: str | None, limit: int
) -> tuple[list[dict[str, Any]], bool]:
    async with services_of(place) as client:
        wanted = {**filters, "part_id": await _part_id(client, part)}
        found: list[dict[str, Any]] = []
        more = True
        while more and len(found) < limit:
            size = min(PAGE, limit - len(found))
            page = await ask(client, ListIssues(**wanted, skip=len(found), limit=size))
            found += page["issues"]
            more = page["more"]
        return found, more


async def _part_id(client: Client, name: str | None) -> str | None:
    if name is None:
        return None
    return str((await ask(client, FindPart(number=number_of(name, "part"))))["part"]["id"])


def _row(issue: Mapping[str, Any]) -> list[str | Text]:
    stage, weight = str(issue["stage"]), issue["weight"]
    secret = " (confidential)" if issue["security"] == "yes" else ""
    return [
        Text(f"ISS-{issue['number']}", style="bold"),
        Text(stage.replace("_", " "), style=_STYLES.get(stage, "")),
        one_line(issue.get("owner") or "–", 20),
        one_line(issue["part"]["name"], 30),
        str(weight["tickets"]),
        str(weight["customers"]),
        f"{one_line(issue['title'], 60)}{secret}",
    ]

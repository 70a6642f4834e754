"""`deskstream issues`."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, get_args

import typer
from rich.text import Text

from deskstream.cli import output
from deskstream.cli.asking import ask, services_of
from deskstream.cli.clean import one_line
from deskstream.cli.execution import carry_out
from deskstream.cli.place import Place, find_place
from deskstream.cli.problem import misused
from deskstream.cli.work.filters import insist_on, insist_on_agent, insist_on_names
from deskstream.cli.work.finding import ids_of
from deskstream.contracts.chain_facts import Security, Severity
from deskstream.contracts.issues import ListIssues
from deskstream.contracts.linked import IssueStage

app = typer.Typer()

PAGE: Final = 100
_STYLES: Final = {"triage": "bold green", "completed": "dim", "wont_fix": "dim", "duplicate": "dim"}


@app.command()
def command(  # noqa: PLR0913 - an argument for each option
    stage: Annotated[str | None, typer.Option(help="Only this stage.")] = None,
    still_open: Annotated[bool, typer.Option("--open", help="Only what is not over.")] = False,
    owner: Annotated[str | None, typer.Option(help="Only this agent's.")] = None,
    unowned: Annotated[bool, typer.Option("--unowned", help="Only what nobody owns.")] = False,
    severity: Annotated[str | None, typer.Option(help="blocker, high, medium or low.")] = None,
    security: Annotated[str | None, typer.Option(help="yes: confidential ones; unsure: held ones; or no.")] = None,
    part: Annotated[str | None, typer.Option(help="PART-4, with everything below it.")] = None,
    account: Annotated[
        str | None, typer.Option(help="ACC-3, or its name: those on which a ticket of this account's hangs.")
    ] = None,
    sort: Annotated[str, typer.Option(help="newest, or weight: most tickets first.")] = "newest",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="No more than so many.")] = 25,
    as_json: output.AsJson = False,
) -> None:
    """List issues with their weight: how many tickets hang on each, of how many customers.

    Stages: triage, backlog, prioritized, in_development, in_review, in_testing, in_deployment, completed, wont_fix,
    duplicate. Confidential ones are shown too: this is for the dev org.
    """
    insist_on(stage, list(IssueStage), "stage")
    insist_on(severity, list(Severity), "severity")
    insist_on(security, get_args(Security), "security")
    insist_on(sort, ("newest", "weight"), "order")
    names = {"part": part, "account": account}
    insist_on_names(names)
    filters = {
        "stage": stage, "open": True if still_open else None, "owner": _owner(owner, unowned=unowned),
        "severity": severity, "security": security, "sort": sort,
    }  # fmt: skip
    found, more = carry_out(_list(find_place(), filters, names, limit))
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
    place: Place, filters: Mapping[str, Any], names: Mapping[str, str | None], limit: int
) -> tuple[list[dict[str, Any]], bool]:
    async with services_of(place) as client:
        wanted = {**filters, **await ids_of(client, names)}
        found: list[dict[str, Any]] = []
        more = True
        while more and len(found) < limit:
            size = min(PAGE, limit - len(found))
            page = await ask(client, ListIssues(**wanted, skip=len(found), limit=size))
            found += page["issues"]
            more = page["more"]
        return found, more


def _owner(owner: str | None, *, unowned: bool) -> str | None:
    """As `ListIssues` has it: the empty text asks for nobody's. Raises Problem for somebody's and nobody's at once."""
    if unowned and owner is not None:
        raise misused("--unowned: ask for an owner or for none, not for both.")
    if owner == "":
        raise misused("'' names no agent: --unowned lists what nobody owns.")
    insist_on_agent(owner)
    return "" if unowned else owner


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

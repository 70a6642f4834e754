"""`deskstream tickets`."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, get_args

import typer
from rich.text import Text

from deskstream.cli import output
from deskstream.cli.asking import ask, services_of
from deskstream.cli.clean import one_line
from deskstream.cli.execution import carry_out
from deskstream.cli.place import Place, find_place
from deskstream.cli.work.filters import insist_on, insist_on_agent, insist_on_names
from deskstream.cli.work.finding import ids_of
from deskstream.contracts.chain_facts import Severity, TicketType
from deskstream.contracts.linked import TicketStage
from deskstream.contracts.ticket_commands import ListTickets
from deskstream.contracts.vistas import TRIAGES, Tracker

app = typer.Typer()

PAGE: Final = 100
_STYLES: Final = {
    "new": "bold green",
    "open": "bold yellow",
    "on_hold": "magenta",
    "solved": "dim",
    "closed": "dim",
    "canceled": "dim",
}


@app.command()
def command(  # noqa: PLR0913 - an argument for each option
    tracker: Annotated[str | None, typer.Option(help="product_assist, or active.")] = None,
    triage: Annotated[str | None, typer.Option(help="untriaged, triaged or closed.")] = None,
    stage: Annotated[str | None, typer.Option(help="Only this stage.")] = None,
    kind: Annotated[
        str | None, typer.Option("--type", help="bug, question, feature_request, incident or task.")
    ] = None,
    severity: Annotated[str | None, typer.Option(help="blocker, high, medium or low.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only this agent's.")] = None,
    part: Annotated[str | None, typer.Option(help="PART-4, with everything below it.")] = None,
    account: Annotated[str | None, typer.Option(help="ACC-3, or its name.")] = None,
    conversation: Annotated[str | None, typer.Option(help="CONV-12: the tickets that are linked to it.")] = None,
    issue: Annotated[str | None, typer.Option(help="ISS-31: the tickets that hang on it.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="No more than so many.")] = 25,
    as_json: output.AsJson = False,
) -> None:
    """List tickets, the newest first.

    Stages: new, open, pending, on_hold, solved, closed, canceled. Trackers are of unsolved ones: product_assist needs a
    code change or has an issue, active are all others.
    """
    insist_on(tracker, get_args(Tracker), "tracker")
    insist_on(triage, TRIAGES, "triage")
    insist_on(stage, list(TicketStage), "stage")
    insist_on(kind, list(TicketType), "type")
    insist_on(severity, list(Severity), "severity")
    insist_on_agent(owner)
    filters = {
        "tracker": tracker, "triage": triage, "stage": stage, "type": kind, "severity": severity, "owner": owner,
    }  # fmt: skip
    names = {"part": part, "account": account, "conversation": conversation, "issue": issue}
    insist_on_names(names)
    found, more = carry_out(_list(find_place(), filters, names, limit))
    if as_json:
        output.say_json({"tickets": found, "more": more})
        return
    if not found:
        output.line("There is no such ticket.")
        return
    columns = ["", "stage", "severity", "owner", "part", "issues", "account", "title"]
    output.table(columns, [_row(ticket) for ticket in found])
    if more:
        output.hint(f"There are more than {limit}: --limit shows more, --stage and --owner narrow it down.")


async def _list(
    place: Place, filters: Mapping[str, Any], names: Mapping[str, str | None], limit: int
) -> tuple[list[dict[str, Any]], bool]:
    async with services_of(place) as client:
        wanted = {**filters, **await ids_of(client, names)}
        found: list[dict[str, Any]] = []
        before = None
        while True:
            page = await ask(client, ListTickets(**wanted, before=before, limit=min(PAGE, limit - len(found))))
            found += page["tickets"]
            before = page["more"]
            if before is None or len(found) >= limit:
                return found, before is not None


def _row(ticket: Mapping[str, Any]) -> list[str | Text]:
    stage = str(ticket["stage"])
    return [
        Text(f"TKT-{ticket['number']}", style="bold"),
        Text(stage.replace("_", " "), style=_STYLES.get(stage, "")),
        str(ticket["severity"]),
        one_line(ticket.get("owner") or "–", 20),
        one_line(ticket["part"]["name"], 30),
        ", ".join(f"ISS-{number}" for number in ticket["issues"][:5]) or "–",
        one_line(ticket.get("account") or "–", 30),
        one_line(ticket["title"], 60),
    ]

"""`deskstream conversations`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from deskstream.cli import output
from deskstream.cli.api import Api
from deskstream.cli.clean import one_line
from deskstream.cli.place import find_place

app = typer.Typer()

PAGE: Final = 200
_STAGES: Final = {
    "new": "bold green",
    "needs_response": "bold yellow",
    "hold": "magenta",
    "suspended": "red",
    "resolved": "dim",
    "archived": "dim",
}


@app.command()
def command(  # noqa: PLR0913 - an argument for each option
    stage: Annotated[list[str] | None, typer.Option(help="Only this stage; can be repeated.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only this agent's.")] = None,
    unowned: Annotated[bool, typer.Option("--unowned", help="Only what nobody owns.")] = False,
    channel: Annotated[str | None, typer.Option(help="Only from this channel.")] = None,
    sort: Annotated[str, typer.Option(help="urgency, received or updated.")] = "urgency",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="No more than so many.")] = 25,
    as_json: output.AsJson = False,
) -> None:
    """List the inbox: what is most urgent comes first.

    Without filters all that is neither suspended nor snoozed. Stages: new, needs_response, waiting_on_user, hold,
    resolved, archived, suspended.
    """
    query = {"stage": stage, "owner": owner, "unowned": unowned and "true", "channel": channel, "sort": sort}
    found, more = _pages(Api(find_place()), query, limit)
    if as_json:
        output.say_json({"conversations": found, "more": more})
        return
    if not found:
        output.line("There is no such conversation. `deskstream send FILE.eml` brings one in.")
        return
    now = datetime.now(UTC)
    columns = ["", "stage", "owner", "priority", "answer due", "from", "title"]
    output.table(columns, [_row(shown, now) for shown in found])
    if more:
        output.hint(f"There are more than {limit}: --limit shows more, --stage and --owner narrow it down.")


def _pages(api: Api, query: Mapping[str, Any], limit: int) -> tuple[list[dict[str, Any]], bool]:
    """Up to `limit` conversations, and whether there are more."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        asked = {**query, "limit": min(PAGE, limit - len(found)), "cursor": cursor}
        page = api.get("/api/conversations", asked)
        found += page["conversations"]
        cursor = page["next"]
        if cursor is None or len(found) >= limit:
            return found, cursor is not None


def _row(shown: Mapping[str, Any], now: datetime) -> list[str | Text]:
    stage = str(shown["stage"])
    return [
        Text(shown["name"], style="bold"),
        Text(stage, style=_STAGES.get(stage, "")),
        one_line(shown.get("owner") or "–", 20),
        str(shown.get("priority", "")),
        _due(shown.get("due_at"), now),
        one_line(_sender(shown), 40),
        one_line(str(shown.get("title") or "(no title)"), 70),
    ]


def _due(due_at: str | None, now: datetime) -> Text:
    if due_at is None:
        return Text("–", style="dim")
    due = datetime.fromisoformat(due_at)
    late = due < now
    shown = due.astimezone().strftime("%a %H:%M" if abs((due - now).days) < 6 else "%Y-%m-%d %H:%M")
    return Text(f"{shown}{' late' if late else ''}", style="bold red" if late else "")


def _sender(shown: Mapping[str, Any]) -> str:
    contact, account = shown.get("contact") or {}, shown.get("account") or {}
    name = str(contact.get("name") or contact.get("email") or "–")
    return f"{name}, {account['name']}" if account.get("name") else name

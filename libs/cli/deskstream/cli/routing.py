"""`deskstream routing`: agents and keyword rules."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from deskstream.cli import output
from deskstream.cli.asking import Client, answered, ask, services_of
from deskstream.cli.clean import one_line
from deskstream.cli.execution import carry_out
from deskstream.cli.place import Place, find_place
from deskstream.cli.problem import WRONG, misused
from deskstream.contracts import Command
from deskstream.contracts.routing import ListAgents, ListRules

app = typer.Typer(no_args_is_help=True)

PAGE: Final = 50
_CONDITIONS: Final = ("words", "pattern", "channels", "inboxes", "accounts", "tiers", "languages")
_AVAILABILITY: Final = {"available": "green", "busy": "yellow", "away": "red", "off_shift": "dim"}


@app.callback()
def routing() -> None:
    """Agents and keyword rules: show them, apply a TOML file."""


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help=r"With \[teams.x], \[agents.x] and \[\[rules]].")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only read the file, and say what is wrong in it.")
    ] = False,
    as_json: output.AsJson = False,
) -> None:
    """Make teams, agents and keyword rules what a TOML file says; others stay as they are.

    All mistakes of the file are told at once, and nothing is applied while there is one. Rules are tried in the order
    of the file.
    """
    commands = _plan(file)
    refused = [] if dry_run else carry_out(_apply(commands, find_place()))
    if as_json:
        names = [f"{command.NAME} {_name(command)}" for command in commands]
        output.say_json({"commands": names, "applied": not dry_run, "refused": refused})
    else:
        _tell_applied(len(commands), refused, dry_run=dry_run)
    if refused:
        raise typer.Exit(WRONG)


@app.command()
def agents(as_json: output.AsJson = False) -> None:
    """Agents with availability and load, and what waits in each team's queue."""
    found, teams = carry_out(_agents(find_place()))
    if as_json:
        output.say_json({"agents": found, "teams": teams})
        return
    if not found:
        output.line("There are no agents yet: `deskstream routing apply FILE.toml` makes them.")
    else:
        columns = ["agent", "name", "team", "availability", "load", "mail"]
        output.table(columns, [_agent_row(agent) for agent in found])
    output.line("")
    output.table(["team", "structure", "waiting"], [[t["team"], t["structure"], str(t["waiting"])] for t in teams])


@app.command()
def rules(as_json: output.AsJson = False) -> None:
    """Keyword rules in the order in which they are tried; the first that matches wins."""
    found = carry_out(_rules(find_place()))
    if as_json:
        output.say_json({"rules": found})
    elif not found:
        output.line("There are no rules yet: `deskstream routing apply FILE.toml` makes them.")
    else:
        output.table(["position", "rule", "when", "then"], [_rule_row(rule) for rule in found])


def _plan(file: Path) -> list[Command]:
    # What may stand in the file is routing's to know; a command line knows it by name only.
    imports = import_module("deskstream.routing.imports")
    try:
        commands: list[Command] = imports.read_plan(file.read_bytes())
    except OSError as error:
        raise misused(f"{file} cannot be read: {error.strerror}.") from None
    except imports.PlanRefused as no:
        mistakes = "\n".join(f"  {one_line(problem, 300)}" for problem in no.problems)
        raise misused(f"{file} is not applied:\n{mistakes}") from None
    return commands


async def _apply(commands: list[Command], place: Place) -> list[dict[str, str]]:
    """One after the other, since each may name what an earlier one made. Returns those refused."""
    refused = []
    async with services_of(place) as client:
        for command in commands:
            answer = await answered(client, command)
            if not answer.ok:
                sentence = answer.error.sentence if answer.error else "Refused without a reason."
                refused.append({"command": command.NAME, "name": _name(command), "reason": sentence})
    return refused


async def _agents(place: Place) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    async with services_of(place) as client:
        found: list[dict[str, Any]] = []
        while True:
            page = await ask(client, ListAgents(after=found[-1]["id"] if found else ""))
            if not page["agents"]:
                return found, page["teams"]
            found += page["agents"]


async def _rules(place: Place) -> list[dict[str, Any]]:
    async with services_of(place) as client:
        return await _all_rules(client)


async def _all_rules(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while page := (await ask(client, ListRules(skip=len(found), limit=PAGE)))["rules"]:
        found += page
    return found


def _name(command: Command) -> str:
    return str(next((getattr(command, name) for name in ("agent", "name", "team") if hasattr(command, name)), ""))


def _tell_applied(count: int, refused: list[dict[str, str]], *, dry_run: bool) -> None:
    if dry_run:
        output.line(f"The file is fine: {output.count_of(count, 'command')} would be sent.")
        return
    output.line(f"{count - len(refused)} of {output.count_of(count, 'command')} applied.")
    if refused:
        rows = [[f"{one['command']} {one['name']}", one_line(one["reason"], 300)] for one in refused]
        output.table(["refused", "because"], rows)


def _agent_row(agent: Mapping[str, Any]) -> list[str | Text]:
    availability = str(agent["availability"])
    return [
        agent["id"],
        one_line(agent["name"] or "", 40),
        agent["team"] or "–",
        Text(availability, style=_AVAILABILITY.get(availability, "")),
        f"{agent['load']} of {agent['capacity']}",
        one_line(agent["email"] or "–", 60),
    ]


def _rule_row(rule: Mapping[str, Any]) -> list[str | Text]:
    name = Text(one_line(rule["name"], 60))
    if not rule.get("enabled", True):
        name.append(" (off)", style="dim")
    return [
        str(rule.get("position", 100)),
        name,
        " and ".join(_conditions(rule)) or "always",
        ", ".join(_effects(rule)),
    ]


def _conditions(rule: Mapping[str, Any]) -> Iterator[str]:
    for name in _CONDITIONS:
        if wanted := rule.get(name):
            shown = ", ".join(wanted) if isinstance(wanted, list) else str(wanted)
            yield f"{name}: {one_line(shown, 120)}"


def _effects(rule: Mapping[str, Any]) -> Iterator[str]:
    for name in ("owner", "team", "priority"):
        if rule.get(name):
            yield f"{name} {one_line(str(rule[name]), 64)}"

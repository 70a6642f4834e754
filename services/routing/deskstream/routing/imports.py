"""Teams, agents and rules from a TOML file, as the commands that make them so.

    [teams.billing]

    [agents.anna]
    name = "Anna Berg"
    team = "billing"
    capacity = 8

    [[rules]]
    name = "Refunds"
    words = ["refund", "money back"]
    owner = "anna"

Rules are tried in the order of the file.
"""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from deskstream.contracts.message import Command
from deskstream.contracts.routing import SaveAgent, SaveRule, SaveTeam
from deskstream.routing.matching import mistake_in

STEP = 10
"""Between the positions of two rules of the file: others fit in between."""

LARGEST = 1024 * 1024


class PlanRefused(ValueError):
    """The file cannot be applied. `problems` has one line for each mistake, naming table and key."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_plan(content: bytes) -> list[Command]:
    """The commands, in an order in which each finds what it names: teams, agents, rules.

    Raises `PlanRefused` with everything that is wrong at once.
    """
    tables = _tables(content)
    problems = [
        f"{table}: there is no such table; known are teams, agents, rules" for table in sorted(_unknown(tables))
    ]
    commands: list[Command] = []
    for where, kind, fields in _entries(tables, problems):
        if command := _command(where, kind, fields, problems):
            commands.append(command)
    _find_doubles(commands, problems)
    if problems:
        raise PlanRefused(problems)
    return commands


def _tables(content: bytes) -> dict[str, Any]:
    if len(content) > LARGEST:
        raise PlanRefused([f"the file is larger than {LARGEST // 1024} KiB"])
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise PlanRefused([f"the file is not UTF-8: byte {error.start}"]) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PlanRefused([f"the file is not TOML: {error}"]) from error


def _unknown(tables: Mapping[str, Any]) -> set[str]:
    return tables.keys() - {"teams", "agents", "rules"}


def _entries(
    tables: Mapping[str, Any], problems: list[str]
) -> Iterator[tuple[str, type[SaveTeam | SaveAgent | SaveRule], dict[str, Any]]]:
    """(where it stands, what it becomes, its fields)."""
    for table, kind, key in (("teams", SaveTeam, "team"), ("agents", SaveAgent, "agent")):
        for name, fields in _named(tables, table, problems):
            if _free_of(f"{table}.{name}", fields, key, problems):
                yield f"{table}.{name}", kind, {key: name, **fields}
    rules = tables.get("rules", [])
    if not isinstance(rules, list):
        problems.append("rules: write each rule as [[rules]]")
        return
    for number, fields in enumerate(rules, start=1):
        where = f"rules[{number}]"
        if not isinstance(fields, dict):
            problems.append(f"{where}: write each rule as [[rules]]")
        else:
            yield where, SaveRule, {"position": number * STEP, **fields}


def _named(tables: Mapping[str, Any], table: str, problems: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    entries = tables.get(table, {})
    if not isinstance(entries, dict):
        problems.append(f"{table}: write each one as [{table}.<handle>]")
        return
    for name, fields in entries.items():
        if isinstance(fields, dict):
            yield name, fields
        else:
            problems.append(f"{table}.{name}: write each one as [{table}.<handle>]")


def _free_of(where: str, fields: Mapping[str, Any], key: str, problems: list[str]) -> bool:
    if key in fields:
        problems.append(f"{where}.{key}: the handle stands in the table's name")
    return key not in fields


def _command(
    where: str, kind: type[SaveTeam | SaveAgent | SaveRule], fields: dict[str, Any], problems: list[str]
) -> Command | None:
    unknown = sorted(fields.keys() - kind.model_fields.keys())
    problems += [f"{where}.{key}: there is no such key; known are {', '.join(kind.model_fields)}" for key in unknown]
    try:
        command = kind.model_validate(fields)
    except ValidationError as error:
        problems += [_told(where, found["loc"], found["msg"]) for found in error.errors(include_url=False)]
        return None
    if isinstance(command, SaveRule) and (mistake := mistake_in(command.words, command.pattern)):
        problems.append(f"{where}.{'words' if mistake.position is None else 'pattern'}: {mistake.sentence}")
    return command


def _told(where: str, path: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join([where, *map(str, path)])}: {message}"


def _find_doubles(commands: list[Command], problems: list[str]) -> None:
    seen: set[str] = set()
    for command in commands:
        if isinstance(command, SaveRule):
            if command.name in seen:
                problems.append(f"rules: two rules are named “{command.name}”")
            seen.add(command.name)

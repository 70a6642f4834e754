"""What the commands print: answers on stdout, everything else on stderr; colours where a terminal reads them."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deskstream.cli.clean import safe_json
from deskstream.cli.problem import Problem

_UNBOUNDED = 10_000

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]
"""The option that every command has."""


class _Console(Console):
    """Leaves a closed pipe to `main`."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """For answers; where no terminal reads them, lines are as long as they need to be."""
    made = _Console(highlight=False)
    if not made.is_terminal:
        made.width = _UNBOUNDED
    return made


def errors() -> Console:
    """For problems, progress and hints."""
    return _Console(stderr=True, highlight=False)


def line(text: str | Text) -> None:
    """One line of an answer; it is never wrapped, so that a reader finds it as one."""
    console().print(text, soft_wrap=True)


def hint(text: str) -> None:
    """Something good to know that belongs to no answer."""
    errors().print(Text(text, style="dim"), soft_wrap=True)


def say_json(value: Any) -> None:
    """An answer as one JSON document, on one line where nobody reads it."""
    json_line(as_document(value, indent=2 if sys.stdout.isatty() else None))


def as_document(value: Any, *, indent: int | None = None) -> str:
    """A value as JSON; moments in ISO 8601."""
    return json.dumps(value, ensure_ascii=False, default=_plain, indent=indent)


def json_line(document: str) -> None:
    """A JSON document as it is, at once: a program on the other side may wait for it."""
    sys.stdout.write(f"{safe_json(document)}\n")
    sys.stdout.flush()


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, title: str | None = None) -> None:
    """A table without lines around it."""
    made = Table(
        title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False,
        show_header=any(columns),
    )  # fmt: skip
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    console().print(made)


def tell_problem(problem: Problem, *, as_json: bool) -> None:
    """One sentence on stderr; for programs an object on stdout."""
    if as_json:
        say_json({"error": problem.sentence})
    else:
        errors().print(Text.assemble(("Error: ", "bold red"), problem.sentence), soft_wrap=True)


def swallow_the_rest() -> None:
    """Nobody reads stdout any more: the interpreter must not complain when it flushes at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


def local(moment: datetime | str | None) -> str:
    """A moment in the local time zone, to the second; a dash for none."""
    if moment is None:
        return "–"
    parsed = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return parsed.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def count_of(number: int, thing: str) -> str:
    """`1 mail`, `2 mails`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)

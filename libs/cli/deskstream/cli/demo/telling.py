"""How the story is told: lines and tables for people, one object for programs."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from deskstream.cli.clean import one_line

WIDE = 160
"""Columns where no terminal says how many there are."""


def quoted(text: object) -> str:
    """Somebody else's words, fit for `Teller.line`: nothing in them dresses the line or drives the terminal."""
    return escape(one_line(str(text)))


class Teller:
    """Prints as it goes, with the seconds since the beginning; keeps everything for `--json`."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(quiet=quiet, highlight=False, soft_wrap=True)
        if not self._console.is_terminal:
            self._console.width = WIDE
        self._started = time.monotonic()
        self.chapters: list[dict[str, Any]] = []

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return round(time.monotonic() - self._started, 1)

    def chapter(self, title: str) -> None:
        """Begins a chapter."""
        self.chapters.append({"title": title, "at_s": self.seconds, "said": []})
        self._console.print()
        self._console.rule(f"[bold]{title}[/bold]", align="left")

    def line(self, text: str, **facts: Any) -> None:
        """One sentence of the story, and the facts behind it."""
        sentence = Text.from_markup(text)
        if self.chapters:
            self.chapters[-1]["said"].append({"text": sentence.plain, **facts})
        self._console.print(Text(f"{self.seconds:5.1f} s  ", style="dim") + sentence)

    def picture(self, lines: list[str]) -> None:
        """Something drawn."""
        self.chapters[-1].setdefault("picture", []).extend(lines)
        for line in lines:
            self._console.print(f"         {line}", markup=False)

    def table(self, heads: list[str], rows: list[list[str]]) -> None:
        """Rows to compare."""
        table = Table(*heads, box=None, pad_edge=False, padding=(0, 2), header_style="dim")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self.chapters[-1].setdefault("tables", []).append([dict(zip(heads, row, strict=True)) for row in rows])
        self._console.print(table)

    def again(self, command: str) -> None:
        """The command that repeats this chapter."""
        self.chapters[-1]["again"] = command
        self._console.print(Text("         again: ", style="dim") + Text(command, style="cyan"))

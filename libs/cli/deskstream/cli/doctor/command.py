"""`deskstream doctor`."""

from collections import Counter
from dataclasses import asdict
from typing import Final

import typer
from rich.text import Text

from deskstream.cli import output, services
from deskstream.cli.doctor.examining import Report, examine
from deskstream.cli.doctor.finding import Finding, Level
from deskstream.cli.doctor.tally import Tally
from deskstream.cli.execution import carry_out
from deskstream.cli.place import find_place
from deskstream.cli.problem import WRONG

app = typer.Typer()

_COLUMNS: Final = (
    "reader", "source", "received", "applied", "duplicate", "rejected", "dead", "waiting", "underway", "repeated",
)  # fmt: skip

_SIGNS: Final = {
    Level.FINE: Text("✔", style="bold green"),
    Level.WARNING: Text("!", style="bold yellow"),
    Level.WRONG: Text("✘", style="bold red"),
}


@app.command()
def command(as_json: output.AsJson = False) -> None:
    """Find what is wrong, and how to mend it.

    Looks at both servers, schemas and streams, how far each service is behind, what fails or waits, clocks, disk, and
    whether everybody answers; and adds up what became of every message, by channel and reader. Of what is there it
    changes nothing. Exit code 1 if something is wrong; a warning is not.
    """
    report = carry_out(examine(find_place(), services.installed()))
    ill = any(finding.level is Level.WRONG for finding in report.findings)
    if as_json:
        output.say_json({"ok": not ill, **asdict(report)})
    else:
        _tell(report)
    if ill:
        raise typer.Exit(WRONG)


def _tell(report: Report) -> None:
    output.table(["", "", ""], [_row(finding) for finding in report.findings])
    if report.tallies:
        output.line("")
        output.table([*_COLUMNS], [_of(tally) for tally in report.tallies])
    counts = Counter(finding.level for finding in report.findings)
    if not (counts[Level.WRONG] or counts[Level.WARNING]):
        output.line(Text("\nAll is fine.", style="bold green"))
        return
    things, warnings = output.count_of(counts[Level.WRONG], "thing"), output.count_of(counts[Level.WARNING], "warning")
    output.line(Text(f"\n{things} to mend, {warnings}.", style="bold"))


def _of(tally: Tally) -> list[str | Text]:
    numbers = [getattr(tally, column) for column in _COLUMNS[2:]]
    return [tally.reader, tally.source, *("–" if number is None else f"{number:,}" for number in numbers)]


def _row(finding: Finding) -> list[str | Text]:
    told = Text(finding.sentence)
    if finding.mend:
        told.append(f"\n→ {finding.mend}", style="cyan")
    return [_SIGNS[finding.level], Text(finding.check, style="bold"), told]

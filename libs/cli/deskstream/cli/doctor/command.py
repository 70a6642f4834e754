"""`deskstream doctor`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import typer
from rich.text import Text

from deskstream.cli import output, services
from deskstream.cli.doctor.examining import examine
from deskstream.cli.doctor.finding import Finding, Level
from deskstream.cli.execution import carry_out
from deskstream.cli.place import find_place
from deskstream.cli.problem import WRONG

app = typer.Typer()

_SIGNS: Final = {
    Level.FINE: Text("✔", style="bold green"),
    Level.WARNING: Text("!", style="bold yellow"),
    Level.WRONG: Text("✘", style="bold red"),
}


@app.command()
def command(as_json: output.AsJson = False) -> None:
    """Find what is wrong, and how to mend it.

    Looks at both servers, schemas and streams, how far each service is behind, what fails or waits, clocks, disk, and
    whether everybody answers. Changes nothing. Exit code 1 if something is wrong; a warning is not.
    """
    place = find_place()
    findings = carry_out(examine(place, services.installed()))
    ill = any(finding.level is Level.WRONG for finding in findings)
    if as_json:
        output.say_json({"ok": not ill, "findings": [asdict(finding) for finding in findings]})
    else:
        _tell(findings)
    if ill:
        raise typer.Exit(WRONG)


def _tell(findings: Sequence[Finding]) -> None:
    output.table(["", "", ""], [_row(finding) for finding in findings])
    counts = Counter(finding.level for finding in findings)
    if not (counts[Level.WRONG] or counts[Level.WARNING]):
        output.line(Text("\nAll is fine.", style="bold green"))
        return
    things, warnings = output.count_of(counts[Level.WRONG], "thing"), output.count_of(counts[Level.WARNING], "warning")
    output.line(Text(f"\n{things} to mend, {warnings}.", style="bold"))


def _row(finding: Finding) -> list[str | Text]:
    told = Text(finding.sentence)
    if finding.mend:
        told.append(f"\n→ {finding.mend}", style="cyan")
    return [_SIGNS[finding.level], Text(finding.check, style="bold"), told]

"""`deskstream adapter check`: files held against the contract, without any server."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.text import Text

from deskstream.cli import output
from deskstream.cli.adapter import reading
from deskstream.cli.clean import one_line
from deskstream.cli.problem import misused
from deskstream.contracts.checking import Checked, Finding, check_inbound
from deskstream.contracts.inbound import MESSAGE_LIMIT


@dataclass(frozen=True, slots=True)
class Verdict:
    """One file, and what was found out about it."""

    file: str
    checked: Checked

    @property
    def ok(self) -> bool:
        return not self.checked.problems

    def document(self) -> dict[str, Any]:
        return {"file": self.file, "ok": self.ok, **asdict(self.checked)}


def verdicts(files: Sequence[str], subject: str | None) -> list[Verdict]:
    """Of every file. Raises Problem where one cannot be read, or none is named."""
    names = list(reading.named(files))
    if not names:
        raise misused("There is no .json file in what was named.")
    return [Verdict(name, _checked(name, subject)) for name in names]


def _checked(name: str, subject: str | None) -> Checked:
    try:
        body, size = reading.read(name)
    except OSError as error:
        raise misused(f"{name} cannot be read: {error.strerror}.") from None
    if len(body) > MESSAGE_LIMIT:
        over = f"{size:,} bytes are over" if size else "it goes on beyond"
        return Checked(problems=(Finding("body", f"{over} the limit of {MESSAGE_LIMIT:,} bytes"),))
    return check_inbound(body, subject)


def tell(found: Sequence[Verdict]) -> None:
    """As a table of what is wrong, and a line that sums up."""
    rows: list[list[str | Text]] = [
        [one_line(verdict.file), Text(how, style=style), one_line(finding.field), one_line(finding.reason, 300)]
        for verdict in found
        for how, style, findings in (
            ("wrong", "red", verdict.checked.problems),
            ("note", "yellow", verdict.checked.notes),
        )
        for finding in findings
    ]
    if rows:
        output.table(["file", "", "field", "reason"], rows)
    fine = sum(verdict.ok for verdict in found)
    output.line(f"{fine} of {output.count_of(len(found), 'file')} would be taken.")

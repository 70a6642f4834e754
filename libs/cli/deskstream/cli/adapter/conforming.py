"""`deskstream adapter conform`: an adapter of another language, held against the suite on a broker of its own."""

import tempfile
from pathlib import Path

from rich.text import Text

from deskstream.cli import output
from deskstream.cli.clean import one_line
from deskstream.cli.problem import Problem, misused
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.testkit.conformance import NotRecorded, Recorded, Report, Topic, hold, read_recorded
from deskstream.testkit.conformance.processes import Unreachable, prepare_streams, started
from deskstream.testkit.conformance.recorded import Run


def recorded(file: Path) -> tuple[Recorded, Run]:
    """What is to be brought, and how the adapter is started. Raises Problem."""
    try:
        found = read_recorded(file)
    except NotRecorded as no:
        raise misused(str(no)) from None
    if found.run is None:
        raise misused(f"{file} does not say how the adapter is started: add [run] with command and by.")
    return found, found.run


async def conform(cases: Recorded, run: Run) -> Report:
    """The report. Raises Problem when the adapter cannot be started."""
    with tempfile.TemporaryDirectory(prefix="deskstream-") as folder:
        broker = EmbeddedNats(Home(Path(folder), user=None))
        try:
            url = broker.start()
            await prepare_streams(cases.channel, url)
            async with started(run, url) as adapter:
                return await hold(adapter, cases, url)
        except Unreachable as no:
            raise Problem(str(no)) from None
        finally:
            broker.stop()


def tell(report: Report) -> None:
    """Topic by topic."""
    rows: list[list[str | Text]] = []
    for topic in Topic:
        if topic in report.failed:
            rows += [[topic, Text("fails", style="red"), one_line(why, 300)] for why in report.failed[topic]]
        elif topic in report.absent:
            rows.append([topic, Text("absent", style="yellow"), one_line(report.absent[topic], 300)])
        else:
            tried = topic in report.passed
            rows.append([topic, Text("holds", style="green") if tried else Text("not tried", style="dim"), ""])
    output.table(["topic", "", ""], rows)
    verdict = "conforms" if report.conforms else "does not conform"
    output.line(f"{report.channel} {verdict}: {len(report.passed)} topics hold, {len(report.failed)} fail.")

"""Why this owner: decision records, drawn."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from deskstream.cli import output
from deskstream.cli.clean import one_line


def show_decisions(explained: Mapping[str, Any], *, everything: bool) -> None:
    """The last decision with every step and candidate; earlier ones in a line each, unless `everything`."""
    decisions: Sequence[Mapping[str, Any]] = explained.get("decisions", [])
    if not decisions:
        output.line("Nothing was decided about its owner yet.")
        return
    for place, decision in enumerate(decisions):
        if place == 0 or everything:
            _show(decision)
        else:
            output.line(_headline(decision, style="dim"))
    hidden = int(explained.get("left_out", 0))
    if hidden:
        output.hint(f"{hidden} earlier ones are not shown.")


def _show(decision: Mapping[str, Any]) -> None:
    record = decision.get("record", {})
    output.line(_headline(decision, style="bold"))
    if inputs := record.get("inputs"):
        output.line(Text("  " + ", ".join(f"{k} {one_line(str(v), 60)}" for k, v in inputs.items()), style="dim"))
    if steps := record.get("steps"):
        tried = [_row(step.get("matched"), step["name"], step["why"]) for step in steps]
        output.table(["", "tried in this order", "because"], tried)
    if people := record.get("candidates"):
        output.line("")
        considered = [_row(person.get("chosen"), person["agent"], person["why"]) for person in people]
        output.table(["", "candidate", "because"], considered)


def _row(yes: object, name: str, why: str) -> list[str | Text]:
    return [_mark(yes), one_line(name, 60), one_line(why, 200)]


def _headline(decision: Mapping[str, Any], *, style: str) -> Text:
    owner, previous = decision.get("owner") or "nobody", decision.get("previous")
    moved = f"{previous} → {owner}" if previous else owner
    reason = one_line(str(decision.get("reason", "")), 300)
    cause = str(decision.get("cause", "")).replace("_", " ")
    return Text.assemble((f"{output.local(decision.get('at'))}  ", "dim"), (moved, style), f" ({cause}) {reason}")


def _mark(yes: object) -> Text:
    return Text("✔", style="bold green") if yes else Text("·", style="dim")

"""Why it is due then: every clock with its segments, each with the open hours it ran in."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich.text import Text

from deskstream.cli import output
from deskstream.cli.clean import one_line

_BAR: Final = 24
_STATES: Final = {"running": "bold", "met": "bold green", "breached": "bold red", "no_reply": "dim", "replaced": "dim"}


def show_clocks(explained: Mapping[str, Any]) -> None:
    """One block for each clock."""
    clocks: Sequence[Mapping[str, Any]] = explained.get("clocks", [])
    if not clocks:
        output.line("No clock runs: no customer waits for a first or next response.")
    for clock in clocks:
        _show(clock)


def _show(clock: Mapping[str, Any]) -> None:
    state = str(clock.get("state", ""))
    metric = str(clock.get("metric", "")).replace("_", " ").capitalize()
    due = _moment(str(clock["due_at"]))
    output.line(
        Text.assemble((f"{metric}: ", "bold"), (state.replace("_", " "), _STATES.get(state, "")), f", due {due}")
    )
    output.line(Text(f"  {_sum(clock)}"))
    rows = [
        row for segment in clock.get("segments", []) for row in _segment(segment, int(clock["target_minutes"]) * 60)
    ]
    if rows:
        output.table(["began by", "open hours", "minutes", ""], rows)
    for day, name in clock.get("holidays", {}).items():
        output.line(Text(f"  {day} is closed: {one_line(str(name), 60)}", style="dim"))


def _sum(clock: Mapping[str, Any]) -> str:
    used = int(clock.get("business_seconds", 0)) / 60
    passed = int(clock.get("calendar_seconds", 0)) / 60
    end = f"stopped {_moment(str(clock['stopped_at']))}" if clock.get("stopped_at") else "still running"
    policy = f"policy {clock.get('policy')}, calendar {clock.get('calendar')}"
    return f"{used:,.0f} of {clock['target_minutes']} open minutes, {passed:,.0f} on the wall; {end}; {policy}"


def _segment(segment: Mapping[str, Any], target_s: int) -> list[list[str | Text]]:
    """A line for each stretch of open hours; the event that began the segment stands at its first."""
    cause = segment.get("began_by") or {}
    began = f"{str(cause.get('event', '')).replace('_', ' ')} {_moment(str(segment['from']))}"
    windows = segment.get("windows") or [{"from": segment["from"], "to": segment["from"], "seconds": 0}]
    rows: list[list[str | Text]] = []
    for place, window in enumerate(windows):
        seconds = int(window["seconds"])
        bar = "█" * min(_BAR, round(_BAR * seconds / max(target_s, 1))) or ("▏" if seconds else "")
        hours = f"{_moment(window['from'])}–{window['to'][11:16]}" if seconds else "outside of the open hours"
        rows.append(
            [Text(began if place == 0 else "", style="dim"), hours, f"{seconds / 60:,.0f}", Text(bar, "cyan"), ""]
        )
    return rows


def _moment(text: str) -> str:
    """In the zone that the clock itself speaks in."""
    return datetime.fromisoformat(text).strftime("%a %Y-%m-%d %H:%M")

"""Dead letters on the screen, and as JSON."""

import json
from collections.abc import Sequence
from typing import Any, Final

from rich.text import Text

from deskstream.cli import output
from deskstream.cli.clean import one_line, paragraphs
from deskstream.cli.letters.finding import Found
from deskstream.cli.letters.mending import Mended

_STATES: Final = {"dead": "bold red", "failed": "yellow", "trying": "yellow"}
_BODY_SHOWN: Final = 20_000


def as_json(found: Found, *, whole: bool = False) -> dict[str, Any]:
    """For programs; the message and the stack only when one is looked at."""
    letter = found.letter
    short = {
        "name": found.name,
        "service": found.service,
        "state": letter.state,
        "lane": letter.lane,
        "key": letter.key,
        "sequence": letter.sequence,
        "message_id": str(letter.message_id),
        "type": letter.type,
        "reason": letter.reason,
        "handler": letter.handler,
        "tries": letter.tries,
        "next_at": None if letter.state == "dead" else letter.next_at,
        "since": letter.since,
        "behind": letter.behind,
    }
    if not whole:
        return short
    return short | {"subject": letter.subject, "stack": letter.stack, "message": _content(letter.body)}


def show_list(found: Sequence[Found]) -> None:
    """A table, and what to do next."""
    if not found:
        output.line("No dead letters: every message was handled, or waits for its turn.")
        return
    columns = ("name", "state", "event", "about", "tries", "behind", "since", "reason")
    output.table(columns, [_row(one) for one in found])
    output.hint("Look at one: `deskstream dead-letters show NAME`. After a fix: `retry NAME`, or `retry --all`.")


def show_one(found: Found) -> None:
    """Everything there is to know."""
    letter = found.letter
    about = f"{letter.lane} {letter.key}" + (f" number {letter.sequence}" if letter.sequence else "")
    rows: list[tuple[str, str | Text]] = [
        ("name", f"{found.service}/{letter.message_id}"),
        ("state", _state(found)),
        ("message", f"{letter.type} on {letter.subject}"),
        ("about", about),
        ("handler", letter.handler or "–"),
        ("reason", letter.reason or "–"),
        ("tries", _tries(found)),
        ("since", output.local(letter.since)),
        ("behind it", f"{output.count_of(letter.behind, 'message')} of the same object"),
    ]
    shown = [[Text(name, style="bold"), _clean(value)] for name, value in rows]
    output.table(["", ""], shown)
    if letter.stack:
        output.line(Text("\nStack", style="bold"))
        output.line(paragraphs(letter.stack))
    output.line(Text("\nMessage", style="bold"))
    output.line(paragraphs(_pretty(letter.body)))


def show_mended(mended: Sequence[Mended], verb: str) -> None:
    """What was done, and what was not."""
    done = [one for one in mended if one.done]
    if done:
        output.line(f"{verb} {output.count_of(len(done), 'message')}: {', '.join(one.found.name for one in done)}.")
    for one in mended:
        if not one.done:
            output.line(Text(f"{one.found.name} was left alone. {one.why_not}", style="yellow"))


def _row(found: Found) -> list[str | Text]:
    letter = found.letter
    event = letter.type.rpartition(".")[2]
    about = one_line(letter.key, 36)
    return [
        found.name,
        _state(found),
        one_line(event),
        about,
        str(letter.tries),
        str(letter.behind or "–"),
        output.local(letter.since),
        one_line(letter.reason, 160),
    ]


def _state(found: Found) -> Text:
    return Text(found.letter.state, style=_STATES.get(found.letter.state, ""))


def _tries(found: Found) -> str:
    if found.letter.state == "dead":
        return f"{found.letter.tries}; nobody tries it any more"
    return f"{found.letter.tries}; the next one {output.local(found.letter.next_at)}"


def _clean(value: str | Text) -> str | Text:
    return value if isinstance(value, Text) else one_line(value, 2000)


def _content(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")


def _pretty(body: bytes) -> str:
    content = _content(body)
    text = content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False)
    return text if len(text) <= _BODY_SHOWN else f"{text[:_BODY_SHOWN]}\n… {len(text) - _BODY_SHOWN} characters more"

"""`deskstream reply`."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import uuid4

import typer

from deskstream.cli import output
from deskstream.cli.api import Api, Refused
from deskstream.cli.clean import one_line
from deskstream.cli.names import conversation_name
from deskstream.cli.place import find_place
from deskstream.cli.problem import WRONG, misused

app = typer.Typer()


@app.command()
def command(  # noqa: PLR0913 - an argument for each option
    conversation: Annotated[str, typer.Argument(help="CONV-12, or an id.")],
    text: Annotated[str, typer.Argument(help="What the customer shall read; - for stdin.")],
    agent: Annotated[
        str, typer.Option("--as", envvar="DESKSTREAM_AGENT", help="In whose name: the handle of an agent.")
    ],
    asks_solved: Annotated[bool, typer.Option("--asks-solved", help="Ask whether this solved it.")] = False,
    signal: Annotated[bool, typer.Option("--signal", help="A mere “I am on it”: no stage, no clock moves.")] = False,
    last_seen: Annotated[
        int | None, typer.Option(min=0, help="The version you answer to; without it, the present one.")
    ] = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="Send although somebody else wrote since then.")] = False,
    as_json: output.AsJson = False,
) -> None:
    """Answer a customer, in an agent's name. It leaves after the time in which it can be undone.

    With --last-seen the answer is held back when somebody else wrote since that version, and you are shown what.
    """
    api, name = Api(find_place(), agent), conversation_name(conversation)
    written = _written(text)
    seen = last_seen if last_seen is not None else int(api.get(f"/api/conversations/{name}")["version"])
    body = {"text": written, "last_seen": seen, "confirm": confirm, "asks_solved": asks_solved, "signal": signal}
    try:
        answer = api.post(f"/api/conversations/{name}/replies", body, key=uuid4().hex)
    except Refused as no:
        if not no.details.get("newer") or as_json:
            raise
        _tell_news(no)
        raise typer.Exit(WRONG) from None
    if as_json:
        output.say_json(answer)
    else:
        _tell(name, answer)


def _written(text: str) -> str:
    written = sys.stdin.read() if text == "-" else text
    if not written.strip():
        raise misused("There is nothing to send: write the answer after the conversation's name.")
    return written


def _tell(name: str, answer: Mapping[str, Any]) -> None:
    reply = answer.get("reply") or {}
    released = f"; it leaves {output.local(reply['release_at'])}" if reply.get("release_at") else ""
    output.line(f"Queued in {name}{released}.")
    output.hint(f"How far it got: `deskstream tail --key {name}`.")


def _tell_news(no: Refused) -> None:
    output.line(no.sentence)
    rows = [
        [str(n.get("author", "")), str(n.get("kind", "")), one_line(str(n.get("text", "")), 200)] for n in _news(no)
    ]
    output.table(["who", "what", "text"], rows)
    output.hint("Send it all the same: --confirm.")


def _news(no: Refused) -> list[Mapping[str, Any]]:
    newer = no.details.get("newer")
    return [one for one in newer if isinstance(one, Mapping)] if isinstance(newer, list) else []

"""Which parts of the tree are the message, and which came along."""

from dataclasses import dataclass, field
from html import escape
from itertools import chain

from deskstream.channel_email.parse.html_text import text_of
from deskstream.channel_email.parse.structure import Part


@dataclass(slots=True)
class Body:
    """What is read aloud: plain text, the HTML it came in, and everything that is a file."""

    text: str = ""
    html: str = ""
    files: list[Part] = field(default_factory=list)
    cut: bool = False


def read_body(part: Part) -> Body:
    """The message in a tree of parts."""
    if _is_file(part):
        return Body(files=[part])
    match part.media_type:
        case "multipart/alternative":
            return _best([read_body(child) for child in part.children])
        case "text/plain":
            text, cut = part.beginning()
            return Body(text=text, cut=cut)
        case "text/html":
            html, cut = part.beginning()
            return Body(text=text_of(html), html=html, cut=cut)
        case _:
            return _one_after_another([read_body(child) for child in part.children])


def _is_file(part: Part) -> bool:
    if part.main_type == "multipart":
        return False
    shown = part.media_type in ("text/plain", "text/html")
    return not shown or part.disposition == "attachment" or bool(part.name)


def _best(alternatives: list[Body]) -> Body:
    """The last plain one for its text and the last HTML one: senders put the richest last."""
    plain = [body for body in alternatives if body.text.strip() and not body.html]
    rich = [body for body in alternatives if body.html]
    words = (plain or rich or [Body()])[-1]
    return Body(
        text=words.text,
        html=rich[-1].html if rich else "",
        files=list(chain.from_iterable(body.files for body in alternatives)),
        cut=words.cut or any(body.cut for body in rich),
    )


def _one_after_another(bodies: list[Body]) -> Body:
    shown = [body for body in bodies if body.text.strip() or body.html]
    rich = any(body.html for body in shown)
    return Body(
        text="\n\n".join(body.text.strip() for body in shown),
        html="\n".join(body.html or _as_html(body.text) for body in shown) if rich else "",
        files=list(chain.from_iterable(body.files for body in bodies)),
        cut=any(body.cut for body in bodies),
    )


def _as_html(text: str) -> str:
    return f"<p>{escape(text.strip()).replace(chr(10), '<br>')}</p>"

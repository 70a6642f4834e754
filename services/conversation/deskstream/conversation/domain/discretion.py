"""W12: nothing leaves for a customer that names a confidential issue: not its number, its id, nor its link."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from deskstream.contracts import Event, Refused, ids
from deskstream.contracts.confidential import named_in, names_in
from deskstream.contracts.conversation import NoteAdded
from deskstream.contracts.facts import ConversationFacts, Note, Reply
from deskstream.contracts.ids import AgentId, NoteId
from deskstream.conversation.domain.changing import changed

OURSELVES: Final = AgentId("deskstream")
"""Who signs what nobody wrote: notes, and replies where the conversation has no owner."""

_WAY_OUT: Final = "Take that out, and say that the problem was filed."


def shown_of(title: str, reply: Reply) -> tuple[str, ...]:
    """What a customer sees of a reply: its text, the names of its files, and the title above it."""
    return (title, reply.text, *(file.name for file in reply.attachments))


def tells(facts: ConversationFacts, reply: Reply, confidential: Collection[str]) -> list[str]:
    """The confidential names that a customer would see; most often nothing is confidential at all."""
    return sorted(named_in(shown_of(facts.title, reply)).intersection(confidential)) if confidential else []


def insist_on_discretion(facts: ConversationFacts, reply: Reply, confidential: Collection[str]) -> None:
    """Raises `Refused` for a reply that tells of a confidential issue."""
    _insist_on_none(tells(facts, reply, confidential))


def insist_on_discreet_title(title: str, confidential: Collection[str]) -> None:
    """The same for a title, which stands above every message that leaves."""
    _insist_on_none(sorted(names_in(title).intersection(confidential)) if confidential else [])


def note_of_silence(facts: ConversationFacts, reply: Reply, told: list[str], now: datetime) -> Event:
    """What is told instead of sending: to whoever wrote it, and to nobody outside."""
    whose = "A reminder" if reply.automatic else f"The reply of @{reply.author}"
    text = f"{whose} was not sent: it names {_shown(told)}, which is confidential. {_WAY_OUT}\n\n{reply.text}"
    reader = (facts.owner,) if reply.automatic and facts.owner else () if reply.automatic else (reply.author,)
    note = Note(id=NoteId(ids.object_id(reply.id, "silence")), author=OURSELVES, text=text, mentions=reader)
    return NoteAdded(conversation_id=facts.id, at=now, stage_before=facts.stage, after=changed(facts), note=note)


def _insist_on_none(told: list[str]) -> None:
    if told:
        sentence = f"A customer would read of {_shown(told)}, which is confidential. {_WAY_OUT}"
        raise Refused("names_confidential_issue", sentence)


def _shown(told: list[str]) -> str:
    """Numbers by name; of ids and links only that there is one."""
    numbers = [name for name in told if name.startswith("ISS-")]
    return ", ".join(numbers) or "the link of an issue"

"""What is said about a conversation: notes, title, people, tags, priority, whom it is shared with."""

import re
from datetime import datetime
from typing import Final

from deskstream.contracts import Event, Refused
from deskstream.contracts.conversation import (
    ChangeTags,
    ConversationShared,
    NoteAdded,
    ParticipantAdded,
    PriorityChanged,
    SetPriority,
    Share,
    TagsChanged,
    TitleChanged,
)
from deskstream.contracts.facts import Note, Participant
from deskstream.conversation.domain import people
from deskstream.conversation.domain.changing import RESOLUTION_TAG, changed
from deskstream.conversation.domain.discretion import insist_on_discreet_title
from deskstream.conversation.domain.messages import Join, Retitle, WriteNote
from deskstream.conversation.domain.replying import writer_of
from deskstream.conversation.domain.state import Conversation
from deskstream.conversation.domain.wording import line, mentions, written

TAGS_LIMIT: Final = 30
SHARED_LIMIT: Final = 50

SHIPPED_TAGS: Final[dict[str, frozenset[str]]] = {
    "stalled": frozenset({""}),
    "blocked": frozenset({""}),
    "priority": frozenset({"escalated"}),
    "moving": frozenset({"fast", "slow"}),
}
"""Tag -> its values (C12). `resolution` is set by resolving; all other tags are the agents' own."""

_OWN_TAG: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_OWN_VALUE: Final = re.compile(r"(?:[^\W_][\w .+-]{0,63})?")


def add_note(state: Conversation, message: WriteNote, now: datetime) -> list[Event]:
    """Never sent outside."""
    text = written(message.asked.text)
    note = Note(id=message.note_id, author=writer_of(message.by), text=text, mentions=mentions(text))
    return [
        NoteAdded(
            conversation_id=state.id, at=now, stage_before=state.facts.stage, after=changed(state.facts), note=note
        )
    ]


def set_title(state: Conversation, message: Retitle, now: datetime) -> list[Event]:
    """On one line; nothing where it is that already."""
    facts, title = state.facts, line(message.asked.title)
    if not title:
        raise Refused("title_is_empty", "There is no title. Write one.")
    if title == facts.title:
        return []
    insist_on_discreet_title(title, message.confidential)
    after = changed(facts, title=title)
    return [TitleChanged(conversation_id=facts.id, at=now, stage_before=facts.stage, after=after)]


def join(state: Conversation, message: Join, now: datetime) -> list[Event]:
    """Adds somebody, or takes the mark of a stranger away. Nothing where they are in it already."""
    asked, facts = message.asked, state.facts
    newcomer = Participant(identity=people.shortened(asked.identity), side=asked.side, added_by=message.by)
    if people.same(asked.identity, state.requester):
        return []
    participants = people.added(state.participants, newcomer)
    if newcomer not in participants:
        if any(people.same(known.identity, newcomer.identity) for known in participants):
            return []
        sentence = f"{len(participants)} people are in this conversation, and no more fit. Start another one."
        raise Refused("too_many_participants", sentence, limit=len(participants))
    after = changed(facts)
    return [
        ParticipantAdded(conversation_id=facts.id, at=now, stage_before=facts.stage, after=after, participant=newcomer)
    ]


def change_tags(state: Conversation, asked: ChangeTags, now: datetime) -> list[Event]:
    """Says only what really changes."""
    facts = state.facts
    for tag, value in asked.add.items():
        _insist_on_known(tag, value)
    if RESOLUTION_TAG in asked.remove:
        raise _resolution_by_hand()
    added = {tag: value for tag, value in asked.add.items() if facts.tags.get(tag) != value}
    removed = tuple(tag for tag in dict.fromkeys(asked.remove) if tag in facts.tags and tag not in asked.add)
    if not added and not removed:
        return []
    tags = {tag: value for tag, value in facts.tags.items() if tag not in removed} | added
    if len(tags) > TAGS_LIMIT:
        raise Refused("too_many_tags", f"{TAGS_LIMIT} tags fit. Remove some.", limit=TAGS_LIMIT)
    after = changed(facts, tags=tags)
    return [
        TagsChanged(
            conversation_id=facts.id, at=now, stage_before=facts.stage, after=after, added=added, removed=removed
        )
    ]


def set_priority(state: Conversation, asked: SetPriority, now: datetime) -> list[Event]:
    """A person's choice, which routing's does not replace; so the same priority is news the first time."""
    facts = state.facts
    if asked.priority is facts.priority and state.priority_by_hand:
        return []
    after = changed(facts, priority=asked.priority)
    return [
        PriorityChanged(conversation_id=facts.id, at=now, stage_before=facts.stage, after=after, before=facts.priority)
    ]


def share(state: Conversation, asked: Share, now: datetime) -> list[Event]:
    """Shown to somebody else; the owner stays."""
    facts = state.facts
    if asked.agent in facts.shared_with:
        return []
    if len(facts.shared_with) >= SHARED_LIMIT:
        raise Refused("shared_with_too_many", f"It is shared with {SHARED_LIMIT} people; no more fit.")
    after = changed(facts, shared_with=(*facts.shared_with, asked.agent))
    return [
        ConversationShared(conversation_id=facts.id, at=now, stage_before=facts.stage, after=after, agent=asked.agent)
    ]


def _insist_on_known(tag: str, value: str) -> None:
    if tag == RESOLUTION_TAG:
        raise _resolution_by_hand()
    values = SHIPPED_TAGS.get(tag)
    if values is not None and value not in values:
        wanted = ", ".join(sorted(values - {""})) or "none"
        raise Refused("tag_value_unknown", f"The tag {tag} takes these values: {wanted}.", values=sorted(values))
    if values is None and not (_OWN_TAG.fullmatch(tag) and _OWN_VALUE.fullmatch(value)):
        sentence = "A tag has up to 64 of a-z, 0-9, - and _; its value up to 64 letters, digits, blanks and . + - _."
        raise Refused("tag_is_malformed", sentence)


def _resolution_by_hand() -> Refused:
    return Refused("resolution_tag_is_set_by_resolving", "Resolve the conversation with that category instead.")

"""All SQL of this service: conversations as one document each, the messages of their threads, confidential names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from deskstream.contracts import Refused
from deskstream.contracts.confidential import ConfidentialityChanged, named_in, names_of
from deskstream.contracts.conversation import FindConversation, RetryReply
from deskstream.contracts.conversation_tickets import PrefillTicket
from deskstream.contracts.facts import ConversationFacts, ReceivedMessage, Reply
from deskstream.contracts.ids import ConversationId
from deskstream.conversation.domain.discretion import shown_of
from deskstream.conversation.domain.state import Conversation, Filed, Marked, MessageKind, State, Unopened
from deskstream.conversation.domain.tickets import prefilled
from deskstream.messaging import Heard, Tx

# A row that is missing gets its number here; the lock is taken in the order of ids.
_LOAD = """
WITH locked AS (
    SELECT id, state
    FROM conversations
    WHERE id = ANY($1::uuid[])
    ORDER BY id
    FOR UPDATE
)
SELECT
    asked.id::text,
    locked.state,
    CASE WHEN locked.id IS NULL THEN nextval('conversation_numbers') END AS number
FROM unnest($1::uuid[]) AS asked(id)
LEFT JOIN locked USING (id)
"""

_SAVE = """
WITH saved AS (
    INSERT INTO conversations (id, number, state)
    SELECT id, number, state
    FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS new(id, number, state)
    ORDER BY id
    ON CONFLICT (id) DO UPDATE
    SET state = excluded.state
)
INSERT INTO messages (conversation_id, position, id, kind, at, body, delivery)
SELECT conversation_id, position, id, kind, at, body, delivery
FROM unnest($4::uuid[], $5::integer[], $6::uuid[], $7::text[], $8::timestamptz[], $9::text[], $10::text[])
    AS new(conversation_id, position, id, kind, at, body, delivery)
"""

_MARK = """
UPDATE messages m
SET delivery = new.delivery
FROM unnest($1::uuid[], $2::integer[], $3::text[]) AS new(conversation_id, position, delivery)
WHERE m.conversation_id = new.conversation_id
  AND m.position = new.position
"""

_REPLIES = """
SELECT m.id, m.body
FROM unnest($1::uuid[], $2::uuid[]) AS asked(conversation_id, id)
JOIN messages m USING (conversation_id, id)
WHERE m.kind = 'reply'
"""

_FIND = """
SELECT state, now() AS now
FROM conversations
WHERE id = $1 OR ($1::uuid IS NULL AND number = $2)
"""

# The first message where none is chosen.
_CHOSEN = """
SELECT m.id, m.body
FROM messages m
WHERE m.conversation_id = $1
  AND m.kind = 'customer'
  AND (m.id = ANY($2::uuid[]) OR cardinality($2::uuid[]) = 0)
ORDER BY m.position
LIMIT CASE WHEN cardinality($2::uuid[]) = 0 THEN 1 ELSE 50 END
"""

_TITLES = """
SELECT state::json #>> '{facts,title}' AS title
FROM conversations
WHERE id = ANY($1::uuid[])
"""

_CONFIDENTIAL = """
SELECT DISTINCT name
FROM confidential_names
WHERE name = ANY($1::text[])
"""

_KEEP_SECRET = """
WITH forgotten AS (
    DELETE FROM confidential_names
    WHERE issue_id = ANY($1::uuid[])
      AND (issue_id, name) NOT IN (SELECT issue_id, name FROM unnest($2::uuid[], $3::text[]) AS new(issue_id, name))
)
INSERT INTO confidential_names (issue_id, name)
SELECT issue_id, name
FROM unnest($2::uuid[], $3::text[]) AS new(issue_id, name)
ON CONFLICT DO NOTHING
"""

_STATE: TypeAdapter[Conversation] = TypeAdapter(Conversation)
_MARKED: TypeAdapter[Marked] = TypeAdapter(Marked)
_NOT_KEPT = {"filed", "marked", "confidential"}
_QUEUED = '{"state":"queued"}'


async def load(tx: Tx, keys: Sequence[str]) -> dict[str, State]:
    """Every conversation asked for, locked; one that does not exist comes unopened, with its number."""
    states: dict[str, State] = {}
    for key, document, number in await tx.fetch(_LOAD, keys):
        known = Unopened(ConversationId(UUID(key)), number) if document is None else read(document)
        states[key] = known
    return states | await _with_confidential(tx, states)


async def _with_confidential(tx: Tx, states: Mapping[str, State]) -> dict[str, State]:
    """Those of which something waits that names an issue, and which of these names are confidential by now."""
    waiting = {
        key: (state, named_in(text for queued in state.queued for text in shown_of(state.facts.title, queued.reply)))
        for key, state in states.items()
        if isinstance(state, Conversation) and state.queued
    }
    known = await confidential(tx, frozenset().union(*(names for _, names in waiting.values())))
    return {key: replace(state, confidential=names & known) for key, (state, names) in waiting.items() if names & known}


async def save(tx: Tx, states: Sequence[State]) -> None:
    """Writes conversations and what was written in them since they were loaded."""
    opened = [state for state in states if isinstance(state, Conversation)]
    if not opened:
        return
    filed = [(state.id, new, _delivery_of(new, state)) for state in opened for new in state.filed]
    await tx.execute(
        _SAVE,
        [state.id for state in opened],
        [state.number for state in opened],
        [written(state) for state in opened],
        [conversation for conversation, _, _ in filed],
        [new.position for _, new, _ in filed],
        [new.id for _, new, _ in filed],
        [new.kind.value for _, new, _ in filed],
        [new.at for _, new, _ in filed],
        [new.content.model_dump_json(exclude_defaults=True) for _, new, _ in filed],
        [delivery for _, _, delivery in filed],
    )
    await _mark(tx, [(state.id, mark) for state in opened for mark in _latest(state)])


async def _mark(tx: Tx, marks: Sequence[tuple[ConversationId, Marked]]) -> None:
    if marks:
        await tx.execute(
            _MARK,
            [conversation for conversation, _ in marks],
            [mark.position for _, mark in marks],
            [_text(mark) for _, mark in marks],
        )


async def titles(tx: Tx, conversations: Sequence[ConversationId]) -> list[str]:
    """The titles of those that exist."""
    return [row["title"] or "" for row in await tx.fetch(_TITLES, conversations)]


async def confidential(tx: Tx, names: frozenset[str]) -> frozenset[str]:
    """Which of these names are of issues that no customer may read of (W12)."""
    return frozenset(row["name"] for row in await tx.fetch(_CONFIDENTIAL, sorted(names))) if names else frozenset()


async def keep_secret(tx: Tx, heard: Sequence[Heard[ConfidentialityChanged]]) -> None:
    """Which issues are confidential now, and which no longer."""
    latest = {one.data.issue_id: one.data for one in heard}
    names = [(issue, name) for issue, said in latest.items() if said.confidential for name in names_of(said)]
    await tx.execute(_KEEP_SECRET, list(latest), [issue for issue, _ in names], [name for _, name in names])


async def replies(tx: Tx, asked: Sequence[RetryReply]) -> dict[UUID, Reply]:
    """The texts of replies by id, as far as they stand in the conversation that is named with them."""
    rows = await tx.fetch(_REPLIES, [a.conversation_id for a in asked], [a.reply_id for a in asked])
    return {reply_id: Reply.model_validate_json(body) for reply_id, body in rows}


async def find(tx: Tx, asked: FindConversation) -> tuple[ConversationFacts, datetime]:
    """The public state of the conversation that is named, and the time. Raises `Refused` when there is none."""
    row = await tx.fetchrow(_FIND, asked.conversation_id, asked.number)
    if row is None:
        raise Refused("conversation_not_found", "There is no conversation of that id or number.")
    return read(row["state"]).facts, row["now"]


async def prefill(tx: Tx, asked: PrefillTicket) -> dict[str, Any]:
    """W2: what a ticket needs to know of a conversation. Raises `Refused` for messages that do not stand in it."""
    facts, _ = await find(tx, FindConversation(conversation_id=asked.conversation_id))
    rows = await tx.fetch(_CHOSEN, asked.conversation_id, asked.messages)
    if len(rows) < len(set(asked.messages)):
        raise Refused("message_not_found", "Not all of these are customer's messages of this conversation.")
    written_in = [ReceivedMessage.model_validate_json(row["body"]) for row in rows]
    return {"prefill": prefilled(facts, written_in)}


def read(document: str) -> Conversation:
    """A conversation from its document."""
    return _STATE.validate_json(document)


def written(state: Conversation) -> str:
    """The document of a conversation."""
    return _STATE.dump_json(state, exclude=_NOT_KEPT, exclude_defaults=True).decode()


def _delivery_of(new: Filed, state: Conversation) -> str | None:
    if new.kind is not MessageKind.REPLY:
        return None
    marks = [mark for mark in state.marked if mark.position == new.position]
    return _text(marks[-1]) if marks else _QUEUED


def _latest(state: Conversation) -> Iterable[Marked]:
    """The last mark of each message that is stored already."""
    if not state.marked:
        return ()
    fresh = {new.position for new in state.filed}
    return {mark.position: mark for mark in state.marked if mark.position not in fresh}.values()


def _text(mark: Marked) -> str:
    return _MARKED.dump_json(mark, exclude={"position"}, exclude_defaults=True).decode()

"""What a customer's message does: it is answered for, filed, or passed on to the follow-up of what is archived."""

from datetime import datetime
from typing import Any

from deskstream.contracts import Event
from deskstream.contracts.conversation import AutomaticMessageFiled, CustomerReplied, FollowUpNeeded, MessagePassedOn
from deskstream.contracts.facts import ConversationFacts, Stage
from deskstream.conversation.domain import stages
from deskstream.conversation.domain.changing import changed, heard_at, moved
from deskstream.conversation.domain.evolving import in_turn
from deskstream.conversation.domain.meant import meant
from deskstream.conversation.domain.messages import Incoming
from deskstream.conversation.domain.people import Writer, who_wrote
from deskstream.conversation.domain.snoozing import end_snooze_by_reply
from deskstream.conversation.domain.stages import Happening
from deskstream.conversation.domain.state import Conversation


def hear(state: Conversation, incoming: Incoming, now: datetime) -> list[Event]:
    """Automatic mail is filed whatever the stage; to what is archived nothing else is added any more."""
    if incoming.message.automatic is not None:
        return [_filed(state, incoming, now)]
    if state.facts.stage is Stage.ARCHIVED:
        return _passed_on(state, incoming, now)
    replied = _replied(state, incoming, now)
    if state.facts.snooze is None:
        return [replied]
    return in_turn(state, lambda _: [replied], lambda then: end_snooze_by_reply(then, now))


def _filed(state: Conversation, incoming: Incoming, now: datetime) -> Event:
    return AutomaticMessageFiled(
        conversation_id=state.id,
        at=now,
        stage_before=state.facts.stage,
        after=changed(state.facts),
        message=incoming.message,
    )


def _passed_on(state: Conversation, incoming: Incoming, now: datetime) -> list[Event]:
    by = who_wrote(state, incoming.message, incoming.contact)
    needed = FollowUpNeeded(
        conversation_id=state.id,
        at=now,
        stage_before=state.facts.stage,
        after=changed(state.facts, **_known_of_requester(incoming, by)),
        follow_up_id=state.follow_up or incoming.follow_up_id,
    )
    passed_on = MessagePassedOn(
        follow_up_id=needed.follow_up_id,
        conversation_id=state.id,
        at=now,
        after=needed.after,
        message=incoming.message,
        requester=incoming.message.sender if by == "requester" else state.requester,
        tickets=tuple(meant(state, incoming, by)),
    )
    return [needed, passed_on]


def _replied(state: Conversation, incoming: Incoming, now: datetime) -> Event:
    facts, message = state.facts, incoming.message
    by = who_wrote(state, message, incoming.contact)
    at = heard_at(message, now)
    changes = moved(facts, stages.after(Happening.CUSTOMER_REPLIES, facts.stage))
    changes |= _clocks(facts, at) | _known_of_requester(incoming, by)
    changes["last_public_at"] = max(at, facts.last_public_at)
    if message.solved is not None:
        changes["confirmed"] = message.solved
    elif facts.stage is Stage.RESOLVED:
        changes["confirmed"] = None
    if facts.language is None and message.language is not None:
        changes["language"] = message.language
    return CustomerReplied(
        conversation_id=facts.id,
        at=now,
        stage_before=facts.stage,
        after=changed(facts, **changes),
        message=message,
        by=by,
    )


def _clocks(facts: ConversationFacts, at: datetime) -> dict[str, Any]:
    if facts.stage is Stage.SUSPENDED:
        return {}
    changes: dict[str, Any] = {}
    if facts.oldest_unanswered_at is None:
        changes["oldest_unanswered_at"] = at
    if facts.valid_at is None and facts.public_replies == 0:
        # An agent's first message never arrived, or was undone: the customer has had no response yet.
        changes["valid_at"] = at
    return changes


def _known_of_requester(incoming: Incoming, by: Writer) -> dict[str, Any]:
    if by != "requester" or incoming.contact is None:
        return {}
    return {"contact": incoming.contact, "account": incoming.account, "workspace": incoming.workspace}

"""How a conversation begins: by a customer's message, as a follow-up, by automatic mail, by an agent."""

from datetime import datetime
from typing import Final

from deskstream.contracts import Event
from deskstream.contracts.conversation import ConversationOpened
from deskstream.contracts.facts import ConversationFacts, Kind, ReceivedMessage, Reply, Resolution, Stage
from deskstream.contracts.ids import ThreadId
from deskstream.contracts.inbound import AutomaticKind
from deskstream.conversation.domain.changing import heard_at
from deskstream.conversation.domain.discretion import insist_on_discretion
from deskstream.conversation.domain.evolving import evolve
from deskstream.conversation.domain.messages import Incoming, Start
from deskstream.conversation.domain.replying import insist_on_adapter, leave, writer_of
from deskstream.conversation.domain.state import Conversation, Unopened
from deskstream.conversation.domain.wording import excerpt, line, title_of, written

NOBODY_WROTE: Final = "automatic mail without a conversation"
FOLLOWS_SPAM: Final = "follows up what was spam"


def open_by_message(state: Unopened, incoming: Incoming, now: datetime) -> list[Event]:
    """`new`, or `suspended` with the reasons. A bounce that belongs nowhere opens nothing: ingest keeps it."""
    if incoming.message.automatic is not None and incoming.message.automatic.kind is AutomaticKind.BOUNCE:
        return []
    message = _with_reasons(incoming)
    facts = _facts(state, incoming, message, now)
    requester = incoming.passed_on.requester if incoming.passed_on else message.requester
    return [ConversationOpened(conversation_id=state.id, at=now, after=facts, message=message, requester=requester)]


def start(state: Unopened, begun: Start, now: datetime) -> list[Event]:
    """Opened and answered in one go: no clock runs until the customer writes."""
    asked, author = begun.asked, writer_of(begun.by)
    insist_on_adapter(asked.channel, begun.sending.channels)
    release_at = now + begun.sending.undo
    reply = Reply(id=begun.reply_id, author=author, text=written(asked.text), written_at=now, release_at=release_at)
    facts = ConversationFacts(
        id=state.id,
        thread_id=ThreadId(state.id),
        number=state.number,
        version=1,
        stage=Stage.NEW,
        kind=Kind.AGENT,
        channel=asked.channel,
        inbox=asked.inbox,
        title=line(asked.title) or excerpt(reply.text),
        created_at=now,
        last_public_at=now,
    )
    opened = ConversationOpened(conversation_id=state.id, at=now, after=facts, requester=asked.contact)
    conversation = evolve(state, opened)
    assert isinstance(conversation, Conversation)
    insist_on_discretion(facts, reply, begun.confidential)
    return [opened, *leave(conversation, reply, drops=(), now=now)]


def _with_reasons(incoming: Incoming) -> ReceivedMessage:
    message, follows = incoming.message, incoming.passed_on
    reasons = []
    if message.automatic is not None:
        reasons.append(NOBODY_WROTE)
    if follows is not None and follows.after.resolution is Resolution.SPAM:
        reasons.append(FOLLOWS_SPAM)
    return message.model_copy(update={"suspicious": (*message.suspicious, *reasons)}) if reasons else message


def _facts(state: Unopened, incoming: Incoming, message: ReceivedMessage, now: datetime) -> ConversationFacts:
    at = heard_at(message, now)
    valid = not message.suspicious
    earlier = incoming.passed_on.after if incoming.passed_on else None
    return ConversationFacts(
        id=state.id,
        thread_id=ThreadId(state.id),
        number=state.number,
        version=1,
        stage=Stage.NEW if valid else Stage.SUSPENDED,
        kind=Kind.SYSTEM if message.automatic else Kind.CUSTOMER,
        channel=message.channel,
        inbox=message.inbox,
        title=title_of(message),
        contact=earlier.contact if earlier else incoming.contact,
        account=earlier.account if earlier else incoming.account,
        workspace=earlier.workspace if earlier else incoming.workspace,
        language=message.language,
        confirmed=message.solved,
        follow_up_of=earlier.id if earlier else None,
        earlier_owner=(earlier.owner or earlier.earlier_owner) if earlier else None,
        created_at=at,
        valid_at=at if valid else None,
        oldest_unanswered_at=at if valid else None,
        last_public_at=at,
    )

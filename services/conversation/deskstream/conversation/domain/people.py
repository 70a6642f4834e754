"""Who is in a conversation: the requester for ever, others as they are copied in, write or are added."""

from typing import Literal, TypeAlias

from deskstream.contracts.facts import ContactFacts, Participant, ReceivedMessage
from deskstream.contracts.inbound import Identity
from deskstream.conversation.domain.state import PARTICIPANTS_LIMIT, Conversation

Writer: TypeAlias = Literal["requester", "participant", "stranger"]

NAME_LIMIT = 60


def same(one: Identity, other: Identity) -> bool:
    """Whether two identities are somebody the channel would not tell apart."""
    if one.email is not None and other.email is not None and one.email.casefold() == other.email.casefold():
        return True
    if one.phone is not None and one.phone == other.phone:
        return True
    return one.external_id is not None and one.external_id == other.external_id


def who_wrote(state: Conversation, message: ReceivedMessage, contact: ContactFacts | None) -> Writer:
    """A stranger is somebody whom neither ingest nor this conversation knows to belong to the thread."""
    if same(message.sender, state.requester):
        return "requester"
    ours = state.facts.contact
    if message.verified and contact is not None and ours is not None and contact.id == ours.id:
        return "requester"
    if message.verified or any(p.verified and same(p.identity, message.sender) for p in state.participants):
        return "participant"
    return "stranger"


def joined(state: Conversation, message: ReceivedMessage, by: Writer, *, first: bool) -> tuple[Participant, ...]:
    """The participants after a message.

    Those copied in the first message know each other. Copied later they wait for an agent's approval, for a forged
    sender could add readers so; and a stranger brings nobody along.
    """
    participants = state.participants
    if by == "requester" and not message.copied:
        return participants
    newcomers = [] if by == "requester" else [_customer(message.sender, verified=by == "participant")]
    if by != "stranger":
        newcomers += [_customer(identity, verified=first) for identity in message.copied]
    for newcomer in newcomers:
        if not same(newcomer.identity, state.requester):
            participants = added(participants, newcomer)
    return participants


def added(participants: tuple[Participant, ...], newcomer: Participant) -> tuple[Participant, ...]:
    """With the newcomer, or with their mark of a stranger gone. Strangers make room when there is none."""
    for place, known in enumerate(participants):
        if same(known.identity, newcomer.identity):
            if known.verified or not newcomer.verified:
                return participants
            return (*participants[:place], newcomer, *participants[place + 1 :])
    if len(participants) < PARTICIPANTS_LIMIT:
        return (*participants, newcomer)
    stranger = next((place for place, known in enumerate(participants) if not known.verified), None)
    if stranger is None or not newcomer.verified:
        return participants
    return (*participants[:stranger], *participants[stranger + 1 :], newcomer)


def copied(state: Conversation) -> tuple[Identity, ...]:
    """Whom a reply goes to beside the requester."""
    return tuple(
        p.identity
        for p in state.participants
        if p.verified and p.side == "customer" and not same(p.identity, state.requester)
    )


def shortened(identity: Identity) -> Identity:
    """Names are for showing; a hundred of a thousand characters each would not fit into a message."""
    if identity.name is None or len(identity.name) <= NAME_LIMIT:
        return identity
    return identity.model_copy(update={"name": identity.name[:NAME_LIMIT]})


def _customer(identity: Identity, *, verified: bool) -> Participant:
    return Participant(identity=shortened(identity), side="customer", verified=verified)

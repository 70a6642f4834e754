"""What an adapter is told of a message that it published: the conversation that it became part of."""

from typing import TypeAlias

from deskstream.contracts import Event
from deskstream.contracts.conversation import AutomaticMessageFiled, ConversationOpened, CustomerReplied
from deskstream.contracts.outbound import MessageAccepted
from deskstream.conversation.domain.messages import Incoming

_Taken: TypeAlias = ConversationOpened | CustomerReplied | AutomaticMessageFiled


def with_answer(said: list[Event], incoming: Incoming) -> list[Event]:
    """Nothing more where the message went on to a follow-up, which answers, or where nobody listens."""
    if not incoming.answered:
        return said
    taken = next((event for event in said if isinstance(event, _Taken)), None)
    return [*said, _accepted(taken, incoming)] if taken else said


def _accepted(taken: _Taken, incoming: Incoming) -> MessageAccepted:
    message = incoming.message
    return MessageAccepted(
        at=taken.at,
        conversation_id=taken.conversation_id,
        number=taken.after.number,
        channel=message.channel,
        inbox=message.inbox,
        external_id=message.external_id,
        message_id=message.id,
    )

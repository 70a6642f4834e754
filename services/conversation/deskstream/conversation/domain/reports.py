"""Reports on how far replies got: which one is news, and who answers for a reply that is lost."""

from collections.abc import Sequence

from deskstream.contracts.facts import Reply
from deskstream.contracts.inbound import DeliveryState
from deskstream.contracts.ingest import DeliveryNoted
from deskstream.conversation.domain.state import Delivery


def answers(reply: Reply) -> bool:
    """Whether it stops a clock (S1): written by a human, and more than a mere signal."""
    return not reply.signal and not reply.automatic


def is_final_failure(state: DeliveryState, permanent: bool) -> bool:
    """A failure that no further try will mend."""
    return state is DeliveryState.FAILED and permanent


def is_news(known: Delivery, noted: DeliveryNoted) -> bool:
    """The furthest state counts; between `unknown` and a failure that may mend, the later report."""
    told = _rank(noted.state, is_final_failure(noted.state, noted.permanent))
    have = _rank(known.state, known.lost)
    return told > have or (told == have == _UNSETTLED and noted.state is not known.state)


def heir_of(lost: Delivery, deliveries: Sequence[Delivery]) -> Delivery | None:
    """The reply after a lost one that would have answered in its place."""
    later = deliveries[deliveries.index(lost) + 1 :]
    return next((d for d in later if d.answers and not d.lost), None)


_UNSETTLED = 1


def _rank(state: DeliveryState, lost: bool) -> int:
    match state:
        case DeliveryState.QUEUED:
            return 0
        case DeliveryState.UNKNOWN:
            return _UNSETTLED
        case DeliveryState.FAILED:
            return 3 if lost else _UNSETTLED
        case DeliveryState.SENT:
            return 2
        case DeliveryState.DELIVERED:
            return 4

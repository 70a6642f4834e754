"""Small memories of a thread: who wrote lately, what the channel calls its messages."""

from typing import Final

from deskstream.conversation.domain.state import REFERENCES_LIMIT, REMARKS_LIMIT, MessageKind, Remark

LONGEST_REFERENCE: Final = 255


def remembered(remarks: tuple[Remark, ...], new: Remark) -> tuple[Remark, ...]:
    """The latest remarks. Whoever asks "what did somebody else write last" finds it, however much one of them wrote:
    the only other writer's latest remark is kept."""
    kept = (*remarks, new)
    if len(kept) <= REMARKS_LIMIT:
        return kept
    first, *others = kept
    if all(_writer(remark) == _writer(new) for remark in others) and _writer(first) != _writer(new):
        return (first, *others[1:])
    return tuple(others)


def by_others(remarks: tuple[Remark, ...], writer: str, since: int) -> list[Remark]:
    """What somebody else than this agent wrote after a version."""
    return [r for r in remarks if r.version > since and _writer(r) != (False, writer)]


def referenced(references: tuple[str, ...], external_id: str | None) -> tuple[str, ...]:
    """The first message's id and the latest ones', as RFC 5322 §3.6.4 wants them."""
    if external_id is None or len(external_id) > LONGEST_REFERENCE or external_id in references:
        return references
    kept = (*references, external_id)
    return kept if len(kept) <= REFERENCES_LIMIT else (kept[0], *kept[2:])


def _writer(remark: Remark) -> tuple[bool, str]:
    # A customer may call herself what an agent is called.
    return remark.kind is MessageKind.CUSTOMER, remark.author

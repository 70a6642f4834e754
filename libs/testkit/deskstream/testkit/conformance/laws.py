"""What must hold of what an adapter publishes, topic by topic: pure functions of what was brought and what came out."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeAlias

from pydantic import ValidationError

from deskstream.contracts import subjects
from deskstream.contracts.inbound import MESSAGE_LIMIT, Attachment, DeliveryReported, InboundMessage, read_inbound
from deskstream.testkit.conformance.recorded import Case, Payload, Topic

_SAID: Final = {"sender", "title", "text", "quoted", "html", "attachments"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the adapter told the provider: taken or refused; None where the way in has no answers."""

    taken: bool | None = None
    told: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """What the adapter published."""

    subject: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """One payload that was brought, and all that came of it."""

    payload: Payload
    answer: Answer
    published: tuple[Published, ...]
    files: Mapping[str, bytes] | None = None
    """By SHA-256 what the adapter stored; None where nobody can look."""

    @property
    def messages(self) -> list[InboundMessage]:
        found = [_read(one) for one in self.published]
        return [message for message in found if isinstance(message, InboundMessage)]


Law: TypeAlias = Callable[[Case, Sequence[Step]], Iterator[str]]


def breaches(topic: Topic, channel: str, case: Case, steps: Sequence[Step]) -> list[str]:
    """What is wrong, a sentence each."""
    wrong = [sentence for step in steps for one in step.published for sentence in _breaks_contract(one, channel)]
    return wrong or list(_LAWS[topic](case, steps))


def _breaks_contract(published: Published, channel: str) -> Iterator[str]:
    if len(published.body) > MESSAGE_LIMIT:
        yield f"published {len(published.body):,} bytes; a message has {MESSAGE_LIMIT:,} at most"
        return
    try:
        address = subjects.inbound_address(published.subject)
        said = read_inbound(published.body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        yield f"broke the contract: {'.'.join(str(step) for step in first['loc'][1:]) or 'body'}: {first['msg']}"
        return
    if address.channel != channel:
        yield f"published on {published.subject}, which is another channel's"
    if said.channel not in (None, address.channel) or said.inbox not in (None, address.inbox):
        yield f"says {said.channel}/{said.inbox} in the body and publishes on {published.subject}"


def _plain(case: Case, steps: Sequence[Step]) -> Iterator[str]:
    (step,) = steps
    yield from _one_message(step)
    for message in step.messages:
        if not (message.text or message.attachments or message.body_blob):
            yield f"{step.payload.name} became a message without content"


def _signature(case: Case, steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        if step.published:
            yield f"took a message whose signature is {step.payload.name}"
        if step.answer.taken:
            yield f"answered {step.answer.told!r} to a signature that is {step.payload.name}"


def _redelivery(case: Case, steps: Sequence[Step]) -> Iterator[str]:
    first, *again = steps
    yield from _one_message(first)
    for step in again:
        if step.answer.taken is False:
            yield f"refused {step.payload.name}, which came again: the provider would go on for days"
        for message in step.messages:
            if not first.messages or _content(message) != _content(first.messages[0]):
                yield f"{step.payload.name} came again and is another message"


def _threading(case: Case, steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        yield from _one_message(step)
    if not all(step.messages for step in steps):
        return
    first, answer, same_title = (step.messages[0] for step in steps)
    if not _names(answer, first):
        yield f"{steps[1].payload.name} does not name the message that it answers, its thread, or a token of ours"
    if _names(same_title, first):
        yield f"{steps[2].payload.name} only has the same title, and was taken for an answer"
    if same_title.title != first.title:
        yield f"{steps[2].payload.name} has another title than {steps[0].payload.name}: record one that has the same"


def _own_echo(case: Case, steps: Sequence[Step]) -> Iterator[str]:
    if steps[0].published:
        yield "took a message that we sent ourselves for a customer's"
    if steps[0].answer.taken is False:
        yield f"refused our own message ({steps[0].answer.told}): the provider would send it again, or a bounce"


def _edit(case: Case, steps: Sequence[Step]) -> Iterator[str]:
    yield from _later_version(steps, "edited")


def _delete(case: Case, steps: Sequence[Step]) -> Iterator[str]:
    yield from _later_version(steps, "deleted")


def _later_version(steps: Sequence[Step], flag: str) -> Iterator[str]:
    """What was said stays said: either nothing more is, or another message that names the first one."""
    first, later = steps
    yield from _one_message(first)
    for message in later.messages:
        if first.messages and message.external_id == first.messages[0].external_id:
            yield f"gave what was {flag} the id of the first version: ingest rejects one id for two contents"
        elif first.messages and not _names(message, first.messages[0]):
            yield f"does not name the message that was {flag}"
        if flag not in message.flags:
            yield f"does not say that it was {flag}: flags = [{flag!r}]"


def _attachment(case: Case, steps: Sequence[Step]) -> Iterator[str]:
    (step,) = steps
    yield from _one_message(step)
    for message in step.messages:
        if not message.attachments:
            yield f"lost the file of {step.payload.name}"
        elif case.file is not None and not any(_is(one, case, step) for one in message.attachments):
            yield "the file is not what was sent, or not stored"


def _is(attachment: Attachment, case: Case, step: Step) -> bool:
    if attachment.content_base64 is not None:
        content: bytes | None = b64decode("".join(attachment.content_base64.split()))
    elif step.files is None:
        # Nobody can look whether it is stored; that it is known by its right name shows that it was read.
        content = case.file if attachment.sha256 == sha256(case.file or b"").hexdigest() else None
    else:
        content = step.files.get(attachment.sha256 or "")
    right_name = case.file_name is None or attachment.name == case.file_name
    return content == case.file and attachment.size == len(content or b"") and right_name


def _oversized(case: Case, steps: Sequence[Step]) -> Iterator[str]:
    """That it is still there afterwards is seen by the suite, and what it published by the contract."""
    for step in steps:
        if step.answer.taken and not step.messages:
            yield f"said that it took {step.payload.name}, and published nothing"


def _unknown_type(case: Case, steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        if step.published:
            yield f"took {step.payload.name} for a message"


def _one_message(step: Step) -> Iterator[str]:
    if step.answer.taken is False:
        yield f"refused {step.payload.name}: {step.answer.told}"
    elif len(step.messages) != 1:
        yield f"made {len(step.messages)} messages of {step.payload.name}; it is one"


def _names(later: InboundMessage, first: InboundMessage) -> bool:
    """Whether it says that it belongs to the same thread."""
    same_thread = later.thread.external_id is not None and later.thread.external_id == first.thread.external_id
    return same_thread or first.external_id in later.thread.references or bool(later.thread.tokens)


def _content(message: InboundMessage) -> tuple[str, str]:
    return message.external_id, message.model_dump_json(include=_SAID)


def _read(published: Published) -> InboundMessage | DeliveryReported | None:
    try:
        return read_inbound(published.body)
    except ValidationError:
        return None


_LAWS: Final[Mapping[Topic, Law]] = {
    Topic.PLAIN: _plain,
    Topic.SIGNATURE: _signature,
    Topic.REDELIVERY: _redelivery,
    Topic.THREADING: _threading,
    Topic.OWN_ECHO: _own_echo,
    Topic.EDIT: _edit,
    Topic.DELETE: _delete,
    Topic.ATTACHMENT: _attachment,
    Topic.OVERSIZED: _oversized,
    Topic.UNKNOWN_TYPE: _unknown_type,
}

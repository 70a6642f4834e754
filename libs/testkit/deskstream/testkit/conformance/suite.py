"""Holding an adapter against the laws: payload by payload, with a plain message after each to see that it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, Protocol

from deskstream.testkit.conformance.laws import Answer, Step, breaches
from deskstream.testkit.conformance.published import InboundStream
from deskstream.testkit.conformance.recorded import Absent, Case, Payload, Recorded, Topic

__all__ = ["Adapter", "Answer", "Report", "hold"]

ALIVE_WITHIN_S: Final = 30.0


class Adapter(Protocol):
    """An adapter that runs, with the provider's side of it."""

    @property
    def forgeries(self) -> Sequence[str]:
        """In which ways a payload's signature can be wrong; none where the channel has no signatures."""

    async def bring(self, payload: Payload, forgery: str = "") -> Answer:
        """Hands over a payload as the provider does, rightly signed unless a forgery is asked for."""

    async def files(self, names: Sequence[str]) -> Mapping[str, bytes] | None:
        """What it stored under these SHA-256; None where nobody can look."""


@dataclass(slots=True)
class Report:
    """What became of it, by topic."""

    channel: str
    passed: list[Topic] = field(default_factory=list)
    absent: dict[Topic, str] = field(default_factory=dict)
    failed: dict[Topic, list[str]] = field(default_factory=dict)

    @property
    def conforms(self) -> bool:
        return not self.failed

    def __str__(self) -> str:
        lines = [f"{topic}: {sentence}" for topic, sentences in self.failed.items() for sentence in sentences]
        return "\n".join(lines) or "it conforms"


class _Dead(Exception):
    """The adapter takes nothing any more."""


async def hold(adapter: Adapter, recorded: Recorded, nats_url: str) -> Report:
    """Holds a running adapter against every topic. Nobody else may write to the inbound stream of the broker."""
    report = Report(recorded.channel)
    async with InboundStream(nats_url) as stream:
        trial = _Trial(adapter, recorded, stream)
        for topic in Topic:
            case = recorded.cases[topic]
            if isinstance(case, Absent):
                report.absent[topic] = case.reason
                continue
            try:
                wrong = await trial.breaches(topic, case)
            except _Dead as dead:
                report.failed[topic] = [str(dead)]
                break
            if wrong:
                report.failed[topic] = wrong
            else:
                report.passed.append(topic)
    return report


class _Trial:
    def __init__(self, adapter: Adapter, recorded: Recorded, stream: InboundStream) -> None:
        self._adapter = adapter
        self._recorded = recorded
        self._stream = stream
        self._numbers = count(1)
        self._brought: dict[bytes, Step] = {}

    async def breaches(self, topic: Topic, case: Case) -> list[str]:
        if topic is Topic.SIGNATURE and not self._adapter.forgeries:
            return ['no forgery is known: say why nothing is signed (absent = "…"), or the secret (secret = "…")']
        return breaches(topic, self._recorded.channel, case, await self._steps(topic, case))

    async def _steps(self, topic: Topic, case: Case) -> list[Step]:
        match topic:
            case Topic.SIGNATURE:
                # Each is another message: what is refused must not be refused as a double.
                return [await self._step(self._another(), forgery) for forgery in self._adapter.forgeries]
            case Topic.REDELIVERY:
                return [await self._first(case.payloads[0]), *[await self._step(one) for one in case.payloads[1:]]]
            case _:
                return [await self._first(payload) for payload in case.payloads]

    async def _first(self, payload: Payload) -> Step:
        """A payload that an earlier topic brought is not brought again: it would be a double."""
        if payload.content not in self._brought:
            self._brought[payload.content] = await self._step(payload)
        return self._brought[payload.content]

    def _another(self) -> Payload:
        return self._recorded.another(next(self._numbers)).payload

    async def _step(self, payload: Payload, forgery: str = "") -> Step:
        answer = await self._adapter.bring(payload, forgery)
        after = self._recorded.another(next(self._numbers))
        await self._adapter.bring(after.payload)
        published = await self._stream.until(after.mark, within=ALIVE_WITHIN_S)
        if published is None:
            raise _Dead(f"it takes nothing any more after {forgery or payload.name}")
        step = Step(Payload(forgery or payload.name, payload.content), answer, tuple(published))
        names = [file.sha256 for message in step.messages for file in message.attachments if file.sha256]
        return Step(step.payload, step.answer, step.published, await self._adapter.files(names)) if names else step

"""Payloads as the provider sent them, by the topic that each is about, and where that is written down."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias

_PAD: Final = b"{{padding}}"
MOST_PADDING: Final = 64 * 1024 * 1024


class Topic(StrEnum):
    """What every channel has to get right, in the order in which it is tried."""

    PLAIN = "plain"
    SIGNATURE = "signature"
    REDELIVERY = "redelivery"
    THREADING = "threading"
    OWN_ECHO = "own_echo"
    EDIT = "edit"
    DELETE = "delete"
    ATTACHMENT = "attachment"
    OVERSIZED = "oversized"
    UNKNOWN_TYPE = "unknown_type"


class NotRecorded(ValueError):
    """The file of recorded cases cannot be used; the text says what is missing and where."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What the provider sent once, byte for byte; `name` is its file's."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Another:
    """A payload made of the plain one, and how its message is known again."""

    payload: Payload
    mark: str


@dataclass(frozen=True, slots=True)
class Absent:
    """A channel cannot have this, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Case:
    """Payloads in the order in which they are brought, and what else the law of the topic asks for."""

    payloads: tuple[Payload, ...]
    file: bytes | None = None
    """What an attachment must hold."""
    file_name: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """How an adapter that is a process of its own is started, and how it gets what the provider sends."""

    command: tuple[str, ...]
    folder: Path
    by: str
    """`lines`: each payload is a line on its stdin; or the URL to which each is posted."""
    secret: str = ""
    """What posts are signed with (Standard Webhooks); empty where nothing is signed."""
    environment: Mapping[str, str] = field(default_factory=dict)


Cases: TypeAlias = Mapping[Topic, Case | Absent]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Everything that was recorded of one channel."""

    channel: str
    cases: Cases
    id: bytes
    """What is the message's id in the bytes of the plain payload; replaced, they are another message."""
    run: Run | None = None

    @property
    def plain(self) -> Payload:
        case = self.cases[Topic.PLAIN]
        assert isinstance(case, Case)
        return case.payloads[0]

    def another(self, number: int) -> Another:
        """The plain payload as another message, and what stands in its id and in no other."""
        mark = self.id + b"x%dx" % number
        plain = self.plain
        return Another(Payload(plain.name, plain.content.replace(self.id, mark)), mark.decode())


# Topic -> names of its payloads, in order. A list of files may stand for one name.
_NAMES: Final[Mapping[Topic, tuple[str, ...]]] = {
    Topic.PLAIN: ("payload",),
    Topic.SIGNATURE: (),
    Topic.REDELIVERY: ("payloads",),
    Topic.THREADING: ("first", "answer", "same_title"),
    Topic.OWN_ECHO: ("payload",),
    Topic.EDIT: ("first", "edit"),
    Topic.DELETE: ("first", "delete"),
    Topic.ATTACHMENT: ("payload",),
    Topic.OVERSIZED: ("payload",),
    Topic.UNKNOWN_TYPE: ("payloads",),
}
_NEVER_ABSENT: Final = (Topic.PLAIN, Topic.REDELIVERY)


def read_recorded(file: Path) -> Recorded:
    """The recorded cases of a channel, from a TOML file beside its payloads.

    Raises NotRecorded when it cannot be read, or when a topic has neither payloads nor a reason why there are none.
    """
    try:
        told = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise NotRecorded(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    reader = _Reader(file, told)
    cases = {topic: reader.case(topic) for topic in Topic}
    id_ = reader.text(Topic.PLAIN, "id")
    recorded = Recorded(reader.text("", "channel"), cases, id_.encode(), reader.run())
    if not id_ or id_.encode() not in recorded.plain.content:
        raise reader.problem(Topic.PLAIN, f"the id {id_!r} does not stand in {recorded.plain.name}")
    return recorded


@dataclass(frozen=True, slots=True)
class _Reader:
    file: Path
    told: dict[str, Any]

    def problem(self, section: str, sentence: str) -> NotRecorded:
        return NotRecorded(f"{self.file}: {f'[{section}] ' if section else ''}{sentence}.")

    def section(self, name: str) -> dict[str, Any]:
        found = self.told.get(name, {}) if name else self.told
        if not isinstance(found, dict):
            raise self.problem(name, "must be a table")
        return found

    def text(self, section: str, name: str) -> str:
        found = self.section(section).get(name)
        if not isinstance(found, str) or not found:
            raise self.problem(section, f'must say {name} = "…"')
        return found

    def case(self, topic: Topic) -> Case | Absent:
        section = self.section(topic)
        if "absent" in section and topic not in _NEVER_ABSENT:
            return Absent(self.text(topic, "absent"))
        if topic not in self.told and topic is not Topic.SIGNATURE:
            way_out = "" if topic in _NEVER_ABSENT else ', or say why there can be none (absent = "…")'
            raise self.problem(topic, f"is missing: record a payload{way_out}")
        payloads = tuple(payload for name in _NAMES[topic] for payload in self.payloads(topic, name))
        file = self.content(topic, section["file"]) if "file" in section else None
        return Case(payloads, file, section.get("name"))

    def payloads(self, topic: Topic, name: str) -> list[Payload]:
        found = self.section(topic).get(name)
        files: list[Any] = found if isinstance(found, list) else [found]
        if not files or not all(isinstance(file, str) for file in files):
            raise self.problem(topic, f'must name a file: {name} = "…"')
        return [Payload(file, self.padded(topic, self.content(topic, file))) for file in files]

    def content(self, topic: Topic, name: str) -> bytes:
        try:
            return (self.file.parent / name).read_bytes()
        except OSError as error:
            raise self.problem(topic, f"{name} cannot be read: {error.strerror}") from None

    def padded(self, topic: Topic, content: bytes) -> bytes:
        """A payload too large to be kept as a file has `{{padding}}` in it, which is as long as `padding` says."""
        padding = self.section(topic).get("padding", 0)
        if not isinstance(padding, int) or not 0 <= padding <= MOST_PADDING:
            raise self.problem(topic, f"padding must be 0 to {MOST_PADDING}")
        lines = b"A" * 75 + b"\n"
        return content.replace(_PAD, (lines * (padding // 76 + 1))[:padding] if b"\r\n" in content else b"A" * padding)

    def run(self) -> Run | None:
        section = self.section("run")
        if not section:
            return None
        command, environment = section.get("command"), section.get("environment", {})
        if not isinstance(command, list) or not command or not all(isinstance(part, str) for part in command):
            raise self.problem("run", 'must say command = ["…"]')
        by = self.text("run", "by")
        if by != "lines" and not by.startswith(("http://127.0.0.1", "http://[::1]", "http://localhost")):
            raise self.problem("run", 'must say by = "lines", or the URL on this machine to which payloads are posted')
        return Run(tuple(command), self.file.parent, by, section.get("secret", ""), environment)

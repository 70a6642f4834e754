"""What every message is: a frozen model whose class says where it travels and which object it is about."""

import re
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

KEY_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")


# The same few ids are written again and again while an event is made, numbered, and compared with its headers.
_written = lru_cache(maxsize=10_000)(UUID.__str__)


def snake_case(name: str) -> str:
    """`CustomerReplied` -> `customer_replied`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Contract(BaseModel):
    """A frozen value; fields a reader does not know are ignored, so that writers may add some."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Contract):
    """A past fact, said by one service about one object.

    A class names its lane (`class TicketOpened(Event, lane="events.ticketing", key="ticket_id")`): the first two
    tokens of its subject, written by one service only, within which sequences are contiguous per key.
    """

    LANE: ClassVar[str] = ""
    KEY: ClassVar[str] = ""
    NAME: ClassVar[str] = ""
    NUMBERED: ClassVar[bool] = True
    """Whether it takes a sequence in its (lane, key)."""
    ENVELOPED: ClassVar[bool] = True
    """Whether it travels inside a CloudEvent; only what adapters publish does not."""

    at: datetime

    def __init_subclass__(cls, lane: str = "", key: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.NAME = snake_case(cls.__name__)
        if lane:
            cls.LANE = lane
        if key:
            cls.KEY = key

    def lane(self) -> str:
        """The first two tokens of the subject."""
        return self.LANE

    def key(self) -> str:
        """The id of the object this is about, as it stands in the subject."""
        value = getattr(self, self.KEY)
        return _written(value) if type(value) is UUID else str(value)

    def subject(self) -> str:
        """Where it is published. Raises `ValueError` for a key that would be no single token of a subject."""
        key = self.key()
        if not KEY_PATTERN.fullmatch(key):
            raise ValueError(f"{key!r} cannot be the key of {self.NAME}")
        return f"{self.LANE}.{self.NAME}.{key}"


class Command(Contract):
    """A wish, answered after commit. A class names the service that owns the rule it asks for."""

    SERVICE: ClassVar[str] = ""
    NAME: ClassVar[str] = ""

    def __init_subclass__(cls, service: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.NAME = snake_case(cls.__name__)
        if service:
            cls.SERVICE = service

    @classmethod
    def command_subject(cls) -> str:
        """Where a caller sends it: `commands.<service>.<command>`."""
        return f"commands.{cls.SERVICE}.{cls.NAME}"

    def asked_of(self, service: str) -> str:
        """Where this one goes when it is that service that shall answer."""
        return f"commands.{service}.{self.NAME}"


class Answered(Contract):
    """What a command's caller gets: either `result`, or `error` with a stable code and a sentence."""

    ok: bool
    result: dict[str, Any] = {}
    error: "Problem | None" = None


class Problem(Contract):
    """Why a command was refused or failed."""

    code: str
    sentence: str
    details: dict[str, Any] = {}

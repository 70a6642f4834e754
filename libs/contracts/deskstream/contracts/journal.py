"""What every service answers about its own journal, and what it says of a refusal."""

from pydantic import Field

from deskstream.contracts import subjects
from deskstream.contracts.message import Command, Contract, Event


class CommandRefused(Event, key="command_id"):
    """Business said no to a command or an event. Keyed by what was refused: it takes no number of the object's."""

    service: str
    command_id: str
    about: str
    """Key of the object that was meant."""
    command: str
    code: str
    sentence: str

    def lane(self) -> str:
        return f"events.{self.service}"

    def subject(self) -> str:
        return f"{self.lane()}.{self.NAME}.{self.key()}"


class NumberLost(Event, key="about"):
    """A number in a lane was given, and what for is lost with the database that knew; said so that readers go on."""

    said_on: str
    """The lane."""
    about: str
    """Key of the object."""

    def lane(self) -> str:
        return self.said_on

    def subject(self) -> str:
        return f"{self.lane()}.{self.NAME}.{self.key()}"


class OfLane(Command):
    """A question about one lane. The lane stands in the subject, so that the broker lets nobody ask for another one."""

    lane: str

    def asked_of(self, service: str) -> str:
        return subjects.question(service, self.NAME, self.lane)


class ReadJournal(OfLane):
    """A page of a lane's journal in the order it was written: rows after `after`, at most 100 KB of bodies."""

    key: str | None = None
    beyond: int = Field(0, ge=0)
    """With a key: only what has a higher sequence than this."""
    after: int = 0
    limit: int = Field(200, ge=1, le=1000)


class ReadHeads(OfLane):
    """The last sequence of each key of a lane, keys after `after` in order."""

    after: str = ""
    limit: int = Field(1000, ge=1, le=5000)


class JournalRow(Contract):
    id: int
    key: str
    sequence: int
    subject: str
    body: str


class JournalPage(Contract):
    rows: tuple[JournalRow, ...]
    last: int
    """`after` of the next page; the page is the last one when `rows` is empty."""

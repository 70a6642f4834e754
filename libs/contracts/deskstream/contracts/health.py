"""What every service tells of itself when it is asked how it is."""

from deskstream.contracts.message import Command, Contract


class ReadHealth(Command):
    """Whether the service can do its work, and what became of messages since it started; one replica answers."""


class HealthRead(Contract):
    """The answer to `ReadHealth`."""

    problem: str | None = None
    """What keeps it from being ready, in a sentence."""
    handled: dict[str, dict[str, int]] = {}
    """By lane and fate: how many messages met it. What waits or fails is counted again when it comes to its end."""

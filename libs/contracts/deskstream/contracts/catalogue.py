"""All messages of the system by name, found by importing every module of this package."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import TypeVar

import deskstream.contracts as package
from deskstream.contracts.envelope import event_type
from deskstream.contracts.message import Command, Contract, Event

M = TypeVar("M", bound=Contract)


@cache
def events() -> dict[str, type[Event]]:
    """CloudEvents type -> class, of every event with a lane of its own."""
    return {event_type(kind): kind for kind in _leaves(Event) if kind.ENVELOPED}


@cache
def commands() -> dict[str, type[Command]]:
    """Subject -> class, of every command that one service owns."""
    return {kind.command_subject(): kind for kind in _leaves(Command) if kind.SERVICE}


def _leaves(root: type[M]) -> Iterator[type[M]]:
    _import_all()
    kinds: list[type[M]] = sorted(root.__subclasses__(), key=lambda found: found.__name__)
    for kind in kinds:
        if kind.__subclasses__():
            yield from _leaves(kind)
        elif kind.__module__.startswith(package.__name__):
            yield kind


@cache
def _import_all() -> None:
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)

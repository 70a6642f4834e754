"""The environment of what a command starts for itself: nothing that was meant for another desk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

PREFIX: Final = "DESKSTREAM_"


def environment_of_its_own(told: Mapping[str, str]) -> dict[str, str]:
    """This process's environment for a child: of our variables only those that it is told."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | dict(told)


@contextmanager
def only_told(told: Mapping[str, str]) -> Iterator[None]:
    """The same for this process, until the block is left."""
    before = dict(os.environ)
    _become(environment_of_its_own(told))
    try:
        yield
    finally:
        _become(before)


def _become(wanted: Mapping[str, str]) -> None:
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)

"""Libraries that other libraries use where they find them, and that we can do without."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def absent(library: str) -> Iterator[None]:
    """What is imported in the block does not find this library, unless it was imported before."""
    if library in sys.modules:
        yield
        return
    # The import system's word for what is not there.
    sys.modules[library] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[library]

"""Progress of long work, on stderr."""

from collections.abc import Callable

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from deskstream.cli.output import errors

Moved = Callable[[int], None]
"""Hears how far something is."""


def progress(*, counted: bool = True) -> Progress:
    """A bar on stderr, gone when it is done; nothing where no terminal reads it."""
    target = errors()
    done = MofNCompleteColumn() if counted else TaskProgressColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), done, TimeElapsedColumn())
    return Progress(*columns, console=target, transient=True, disable=not target.is_terminal)

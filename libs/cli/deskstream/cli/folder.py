"""The folder `.deskstream` of a desk that runs here, and the channels that were added to it, a name a line.

`deskstream adapter add` writes them and every command is told them, so that nobody has to name them each time.
"""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deskstream.cli.problem import Problem

FOLDER: Final = ".deskstream"
CHANNELS: Final = "DESKSTREAM_EXTRA_CHANNELS"
SERVERS: Final = (
    "DESKSTREAM_NATS_URL",
    "DESKSTREAM_NATS_SEED_FILE",
    "DESKSTREAM_POSTGRES_URL",
    "DESKSTREAM_POSTGRES_PASSWORD_FILE",
)
"""Whoever sets one of these means another desk."""

_FILE: Final = "channels"


def folder_of(start: Path) -> Path:
    """Where the desk has its data that `start` belongs to: in the nearest such folder there or above, else there."""
    made = (parent / FOLDER for parent in (start, *start.parents) if (parent / FOLDER).is_dir())
    return next(made, start / FOLDER)


def channels_of(folder: Path) -> tuple[str, ...]:
    """The channels that were added there, in that order. Raises Problem when they cannot be read."""
    file = folder / _FILE
    try:
        return tuple(file.read_text("utf-8").split()) if file.is_file() else ()
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{file} cannot be read ({error}). Mend it, or remove it and add the channels again.") from None


def keep_channels(folder: Path, names: Sequence[str]) -> None:
    """These and no others, whole or not at all. Raises Problem when that cannot be written."""
    draft = folder / f"{_FILE}.new"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        draft.write_text("".join(f"{name}\n" for name in names))
        draft.replace(folder / _FILE)
    except OSError as error:
        raise Problem(f"{folder / _FILE} cannot be written: {error.strerror}.") from None


@contextmanager
def channels_told(environment: MutableMapping[str, str], start: Path) -> Iterator[None]:
    """The environment names the folder's channels until the block is left."""
    added = "" if _speaks_for_itself(environment) else ",".join(channels_of(folder_of(start)))
    if not added:
        yield
        return
    before = environment.get(CHANNELS)
    environment[CHANNELS] = added
    try:
        yield
    finally:
        if before is None:
            environment.pop(CHANNELS, None)
        else:
            environment[CHANNELS] = before


def _speaks_for_itself(environment: Mapping[str, str]) -> bool:
    return any(environment.get(name) for name in (CHANNELS, *SERVERS))

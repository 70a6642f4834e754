"""`deskstream adapter add` and `remove`: which adapters of elsewhere the desk in this folder has."""

from importlib.metadata import entry_points
from pathlib import Path

from pydantic import ValidationError

from deskstream.cli import output
from deskstream.cli.folder import channels_of, folder_of, keep_channels
from deskstream.cli.problem import misused
from deskstream.cli.state import read_state
from deskstream.runtime.channels import ALWAYS, GROUP, PREFIX, ExtraChannels


def add(name: str) -> tuple[str, ...]:
    """The channels that the desk has now. Raises Problem for a name that can be none, or needs no adding."""
    _insist_on_names(name)
    if name == ALWAYS or f"{PREFIX}{name}" in entry_points(group=GROUP).names:
        raise misused(f"{name} is installed here: the desk knows it without being told.")
    folder = folder_of(Path.cwd())
    channels = tuple(dict.fromkeys((*channels_of(folder), name)))
    _insist_on_names(*channels)
    keep_channels(folder, channels)
    return channels


def remove(name: str) -> tuple[str, ...]:
    """The channels that are left. Raises Problem when it was none of them."""
    folder = folder_of(Path.cwd())
    channels = channels_of(folder)
    if name not in channels:
        known = ", ".join(channels) or "none"
        raise misused(f"{name[:60]!r} was not added here. Channels that were: {known}.")
    keep_channels(folder, left := tuple(one for one in channels if one != name))
    return left


def tell(channels: tuple[str, ...], *, as_json: bool) -> None:
    """Which there are, and when the desk will know."""
    if as_json:
        output.say_json({"channels": list(channels)})
        return
    output.line(f"Channels whose adapters run elsewhere: {', '.join(channels) or 'none'}.")
    state = read_state(folder_of(Path.cwd()))
    if state and state.alive:
        output.hint("The desk that runs here knows after `deskstream down` and `deskstream up`.")


def _insist_on_names(*names: str) -> None:
    """As every process reads them from the environment."""
    try:
        read = ExtraChannels(extra_channels=names).extra_channels
    except ValidationError as error:
        raise misused(f"{names[-1][:60]!r} cannot be added as a channel: {error.errors()[0]['msg']}.") from None
    if read != names:
        raise misused(f"{names[-1][:60]!r} cannot be a channel's name: use small letters, digits and _, like pager.")

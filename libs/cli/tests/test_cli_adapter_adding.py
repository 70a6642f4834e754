"""`deskstream adapter add`: a channel is named once, and every command of that folder is told."""

import os

import pytest

from deskstream.cli.folder import CHANNELS, FOLDER, SERVERS, channels_told


@pytest.fixture
def here(nowhere, monkeypatch):
    """Where the environment names no channel."""
    monkeypatch.delenv(CHANNELS, raising=False)
    return nowhere


def told(environment, start):
    with channels_told(environment, start):
        return environment.get(CHANNELS)


def channels(here, *arguments):
    said = here.now("adapter", *arguments, "--json")
    assert said.code == 0, said.err
    return said.json["channels"]


def admitted(here, folder):
    """Whether the broker of a desk with these commands would let the pager in."""
    assert here.now("provision", "--permissions", "--out", folder).code == 0
    return "channel_pager" in (folder / "nats" / "keys.conf").read_text().lower()


def test_n1_an_adapter_that_was_added_once_is_known_to_every_command(here, tmp_path):
    assert not admitted(here, tmp_path / "permissions")
    assert channels(here, "add", "pager") == ["pager"]
    assert admitted(here, tmp_path / "permissions")
    assert CHANNELS not in os.environ
    assert channels(here, "remove", "pager") == []
    assert not admitted(here, tmp_path / "permissions")


def test_in_a_folder_below_it_is_the_same_desk(here, tmp_path, monkeypatch):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / "examples").mkdir()
    monkeypatch.chdir(tmp_path / "examples")
    channels(here, "add", "pager")
    assert told({}, tmp_path) == told({}, tmp_path / "examples") == "pager"


def test_several_keep_their_order_and_each_is_there_once(here, tmp_path):
    for name in ("pager", "telex", "pager"):
        added = channels(here, "add", name)
    assert added == ["pager", "telex"]
    assert told({}, tmp_path) == "pager,telex"


@pytest.mark.parametrize("name", [CHANNELS, *SERVERS])
def test_an_environment_that_speaks_for_itself_comes_first(here, tmp_path, name):
    channels(here, "add", "pager")
    environment = {name: "telex"}
    assert told(environment, tmp_path) == environment.get(CHANNELS)
    assert environment == {name: "telex"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(("add", "email"), "installed here", id="mail"),
        pytest.param(("add", "Pager"), "cannot be added as a channel", id="capitals"),
        pytest.param(("add", "pager,telex"), "cannot be added as a channel", id="two at once"),
        pytest.param(("add", " pager"), "small letters", id="a blank"),
        pytest.param(("add", ""), "small letters", id="nothing"),
        pytest.param(("add", "../pager"), "cannot be added as a channel", id="a path"),
        pytest.param(("add", "x" * 5000), "cannot be added as a channel", id="endless"),
        pytest.param(("remove", "telex"), "Channels that were: none", id="removing what was not added"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence_and_changes_nothing(here, tmp_path, arguments, sentence):
    said = here.now("adapter", *arguments)
    assert (said.code, sentence in said.err) == (2, True), said.err
    assert not (tmp_path / FOLDER).exists()


def test_more_than_every_process_would_read_are_refused(here, tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "channels").write_text("\n".join(f"pager_{number}" for number in range(50)))
    assert here.now("adapter", "add", "telex").code == 2


def test_a_damaged_file_is_named(here, tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "channels").write_bytes(b"\xff\xfe")
    said = here.now("provision", "--permissions")
    assert (said.code, "channels cannot be read" in said.err) == (1, True)


def test_a_folder_that_takes_nothing_is_told(here, tmp_path):
    (tmp_path / FOLDER).write_text("a file")
    said = here.now("adapter", "add", "pager")
    assert (said.code, "cannot be written" in said.err) == (1, True)

import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.text import Text

from deskstream.cli.registry import COMMANDS

HEAVY = ("asyncpg", "nats", "faststream", "pydantic", "httpx", "deskstream.messaging", "deskstream.runtime")


def test_the_help_names_every_command(nowhere):
    said = nowhere.now("--help")
    assert said.code == 0
    for name in COMMANDS:
        assert f" {name} " in said.out


def test_without_a_command_the_help_is_shown(nowhere):
    assert "Usage" in nowhere.now().out + nowhere.now().err


def ways(entry):
    """The words by which each command of an entry is called."""
    command = entry.load()
    subcommands = getattr(command, "commands", None)
    return [[entry.name, name] for name in subcommands] if subcommands else [[entry.name]]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(nowhere, name):
    for way in ways(COMMANDS[name]):
        said = nowhere.now(*way, "--help")
        assert said.code == 0
        assert f"{' '.join(way)} [OPTIONS]" in said.out
        assert "--install-completion" not in said.out
        # One runs services, the other's answer is a JSON document anyway.
        assert "--json" in said.out or way in (["run"], ["asyncapi"])


def parameters():
    for entry in COMMANDS.values():
        command = entry.load()
        for called in getattr(command, "commands", {entry.name: command}).values():
            yield from ((called, parameter) for parameter in called.params)


def test_no_default_is_a_path_of_this_machine(nowhere):
    here = str(Path.cwd())
    for name in COMMANDS:
        for way in ways(COMMANDS[name]):
            said = nowhere.now(*way, "--help").out
            assert here not in re.sub(r"[\s│]", "", said), way


def test_every_bracket_of_a_help_text_is_shown():
    said = [parameter.help for _, parameter in parameters() if getattr(parameter, "help", None)]
    assert len(said) > 100
    assert not [text for text in said if "[" in text and "[" not in Text.from_markup(text).plain]


def test_a_typing_mistake_gets_a_suggestion(nowhere):
    said = nowhere.now("tial")
    assert said.code == 2
    assert "tail" in said.err


def test_an_unknown_option_is_misuse(nowhere):
    assert nowhere.now("tail", "--sinse", "1h").code == 2


def test_the_version(nowhere):
    said = nowhere.now("--version")
    assert said.code == 0
    assert said.out.startswith("deskstream 0.")


@pytest.mark.slow
def test_the_help_loads_nothing_that_takes_long():
    script = f"""
import sys
sys.argv = ["deskstream", "--help"]
from deskstream.cli.main import main
try:
    main()
except SystemExit:
    print("loaded", [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded []"

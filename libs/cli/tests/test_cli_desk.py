"""What the real commands say while a desk runs, on terminals, in pipes and to programs."""

import json
import re
import signal
import subprocess

import pytest

from deskstream.cli.folder import FOLDER
from libs.cli.tests.desks import CLEAN, COMMAND, cleaned, conversations, deskstream, mails, on_terminal, up, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A desk that runs while the tests of this file do, with twelve conversations."""
    with cleaned(tmp_path_factory.mktemp("desk")) as folder, up(folder) as (first_line, _):
        done = deskstream(folder, "send", "--json", *mails(folder, 12))
        assert json.loads(done.stdout)["accepted"] == 12
        wait_for(lambda: len(conversations(folder)) == 12)
        yield folder, first_line


def test_o1_the_first_line_says_where_everything_is(running):
    folder, line = running
    assert line["api_url"].startswith("http://127.0.0.1:")
    assert line["inbox"] == "support@desk.example"
    assert len(line["token"]) > 30
    assert "postgres_url" not in line
    assert (folder / FOLDER / "desk.json").stat().st_mode & 0o077 == 0
    assert (folder / FOLDER / "kept.json").stat().st_mode & 0o077 == 0


def test_o5_a_desk_that_runs_is_well(running):
    folder, _ = running
    (folder / "deeper").mkdir(exist_ok=True)
    done = deskstream(folder / "deeper", "doctor")
    assert done.returncode == 0, done.stdout.decode()
    assert "All is fine." in done.stdout.decode()


def test_up_once_more_says_that_it_runs_already(running):
    folder, line = running
    done = deskstream(folder, "up", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == line
    assert b"runs already" in done.stderr


def test_a_pipe_that_is_closed_early_is_no_failure(running):
    folder, _ = running
    tail = " ".join([*COMMAND, "tail", "--since", "beginning"])
    done = subprocess.run(
        ["bash", "-c", f"{tail} | head -2; echo ${{PIPESTATUS[0]}}"],
        cwd=folder, env=CLEAN, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 3
    assert lines[2] == "0"
    assert done.stderr == b""


def test_tail_ends_by_ctrl_c_without_a_word(running):
    folder, _ = running
    process = subprocess.Popen(
        [*COMMAND, "tail", "--since", "beginning"],
        cwd=folder,
        env=CLEAN,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Whoever runs the tests in the background has it ignored, and what is ignored is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert errors == b""


TAIL = ("tail", "--since", "beginning", "--until-idle", "0.3")


def test_a_terminal_gets_colours_and_lines_that_fit(running):
    code, shown = on_terminal(running[0], *TAIL)
    assert code == 0
    assert "\x1b[36m" in shown or "\x1b[2m" in shown
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in shown.splitlines()]
    assert len(plain) > 12
    assert max(map(len, plain)) <= 60
    assert any(line.endswith("…") for line in plain)


def test_no_color_is_respected(running):
    _, shown = on_terminal(running[0], *TAIL, env={"NO_COLOR": "1"})
    assert not re.search(r"\x1b\[(3|4|9|10)\d", shown)


def test_without_a_terminal_nothing_is_cut_or_coloured(running):
    done = deskstream(running[0], *TAIL)
    assert b"\x1b" not in done.stdout
    assert "…".encode() not in done.stdout


def test_a_charset_without_our_letters_ends_nothing(running):
    done = deskstream(running[0], *TAIL, env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert b"? new" in done.stdout


def test_o3_programs_get_cloudevents(running):
    done = deskstream(running[0], "tail", "--since", "1h", "--event", "conversation_opened", "--count", "12", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["type"] for event in events} == {"deskstream.conversation.conversation_opened"}
    assert {event["data"]["after"]["number"] for event in events} == set(range(1, 13))

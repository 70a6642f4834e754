import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil
import pytest

from deskstream.cli.folder import FOLDER
from deskstream.cli.state import read_state
from deskstream.runtime.embedded.home import home_folder_of_root
from deskstream.runtime.embedded.servers import EmbeddedServers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MAIL = b"From: Ada <ada@acme.example>\r\nMessage-ID: <%d@acme.example>\r\nSubject: Hello %d\r\n\r\nIt is broken.\r\n"
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("DESKSTREAM_")}
COMMAND = [sys.executable, "-m", "deskstream.cli"]


def deskstream(folder, *arguments, **more):
    """The real command, run to its end."""
    environment = CLEAN | more.pop("env", {})
    command = [*COMMAND, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=110, check=False, **more)


@contextmanager
def up(folder, *options):
    """`up` in the foreground; its first line of JSON, and its process."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*COMMAND, "up", "--json", *options], cwd=folder, env=CLEAN, stdout=subprocess.PIPE, stderr=log
        )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline()), process
    finally:
        process.kill()
        process.communicate()
        EmbeddedServers(folder / FOLDER).stop()


def mails(folder, count):
    paths = [folder / f"{number}.eml" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(MAIL % (number, number))
    return [str(path) for path in paths]


def wait_for(condition, within=20.0):
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def conversations(folder):
    return json.loads(deskstream(folder, "conversations", "--json").stdout)["conversations"]


@contextmanager
def cleaned(folder):
    """Root's servers keep their data elsewhere."""
    yield folder
    shutil.rmtree(home_folder_of_root(folder / FOLDER), ignore_errors=True)


@pytest.fixture
def folder(tmp_path):
    """Where a desk may run; everything is gone afterwards."""
    with cleaned(tmp_path):
        yield tmp_path


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
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == b""


def on_terminal(folder, *arguments, columns=60, **environment):
    """What a terminal of so many columns gets."""
    ours, theirs = pty.openpty()
    env = {**CLEAN, "TERM": "xterm-256color", "COLUMNS": str(columns), **environment}
    process = subprocess.Popen([*COMMAND, *arguments], cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.wait(30) == 0
    return shown.decode()


TAIL = ("tail", "--since", "beginning", "--until-idle", "0.3")


def test_a_terminal_gets_colours_and_lines_that_fit(running):
    shown = on_terminal(running[0], *TAIL)
    assert "\x1b[36m" in shown or "\x1b[2m" in shown
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in shown.splitlines()]
    assert len(plain) > 12
    assert max(map(len, plain)) <= 60
    assert any(line.endswith("…") for line in plain)


def test_no_color_is_respected(running):
    shown = on_terminal(running[0], *TAIL, NO_COLOR="1")
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


def test_another_folder_does_not_see_it(folder):
    done = deskstream(folder, "doctor")
    assert done.returncode == 1
    assert b"deskstream up" in done.stderr
    assert b"Traceback" not in done.stderr


def test_down_where_nothing_runs(folder):
    done = deskstream(folder, "down")
    assert (done.returncode, done.stdout) == (0, b"Nothing runs here.\n")
    assert list(folder.iterdir()) == []


def test_up_does_not_go_beside_named_servers(folder):
    done = deskstream(folder, "up", env={"DESKSTREAM_NATS_URL": "nats://nats:4222"})
    assert done.returncode == 2
    assert b"DESKSTREAM_NATS_URL is set" in done.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_p11_a_signal_stops_everything_and_keeps_what_was_said(folder, number):
    with up(folder) as (before, process):
        servers = EmbeddedServers(folder / FOLDER)
        assert servers.status().both_run
        done = deskstream(folder, "send", *mails(folder, 1))
        assert done.returncode == 0, done.stderr
        wait_for(lambda: len(conversations(folder)) == 1)
        process.send_signal(number)
        process.communicate(timeout=60)
        assert process.returncode == 0, (folder / "log").read_text()
        status = servers.status()
        assert (status.nats_pid, status.postgres_pid) == (None, None)
        assert not (folder / FOLDER / "desk.json").exists()
    with up(folder) as (after, _):
        assert after["token"] == before["token"]
        assert [one["name"] for one in conversations(folder)] == ["CONV-1"]


def test_in_the_background_and_down(folder):
    try:
        started = deskstream(folder, "up", "--detach", "--json")
        assert started.returncode == 0, started.stderr
        pid = json.loads(started.stdout)["pid"]
        assert psutil.pid_exists(pid)
        assert json.loads(started.stdout)["token"].encode() not in (folder / FOLDER / "up.log").read_bytes()
        stopped = deskstream(folder, "down", "--json")
        assert json.loads(stopped.stdout)["stopped"] == ["up", "nats", "postgres"]
        wait_for(lambda: not psutil.pid_exists(pid))
        assert b"Nothing runs here" in deskstream(folder, "down").stdout
    finally:
        deskstream(folder, "down")


def test_p1_after_kill_9_everything_is_found_again(folder):
    with up(folder) as (_, process):
        deskstream(folder, "send", *mails(folder, 3))
        process.kill()
        process.wait()
        sick = deskstream(folder, "doctor")
        assert sick.returncode == 1
        assert b"was ended by force" in sick.stdout
        with up(folder):
            # What the broker had given to the killed process it gives again after half a minute.
            wait_for(lambda: len(conversations(folder)) == 3, within=90)
            assert deskstream(folder, "doctor").returncode == 0


def test_p5_a_server_that_dies_is_started_again(folder):
    with up(folder):
        servers = EmbeddedServers(folder / FOLDER)
        for pid in (servers.status().nats_pid, servers.status().postgres_pid):
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda pid=pid: pid not in vars(servers.status()).values() and servers.status().both_run)
        wait_for(lambda: deskstream(folder, "send", *mails(folder, 1)).returncode == 0, within=90)
        wait_for(lambda: len(conversations(folder)) == 1, within=90)


def test_a_port_that_is_taken_is_told_and_nothing_is_left_running(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = deskstream(folder, "up", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert b"in use" in done.stderr
    assert b"Traceback" not in done.stderr
    assert not EmbeddedServers(folder / FOLDER).status().both_run
    assert read_state(folder / FOLDER) is None


@pytest.mark.parametrize("content", [pytest.param("{", id="half a file"), pytest.param('{"x": 1}', id="another file")])
def test_secrets_that_were_damaged_are_not_made_anew(folder, content):
    (folder / FOLDER).mkdir()
    (folder / FOLDER / "kept.json").write_text(content)
    done = deskstream(folder, "up")
    assert done.returncode == 1
    assert b"is damaged" in done.stderr

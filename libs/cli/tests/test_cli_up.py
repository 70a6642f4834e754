"""How a desk starts, ends, dies and starts again with `deskstream up`."""

import json
import os
import signal
import socket

import psutil
import pytest

from deskstream.cli.folder import FOLDER
from deskstream.cli.state import read_state
from deskstream.runtime.embedded.servers import EmbeddedServers
from libs.cli.tests.desks import cleaned, conversations, deskstream, mails, up, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def folder(tmp_path):
    """Where a desk may run; everything is gone afterwards."""
    with cleaned(tmp_path):
        yield tmp_path


def test_another_folder_does_not_see_it(nowhere):
    done = nowhere.now("doctor")
    assert done.code == 1
    assert "deskstream up" in done.err


def test_down_where_nothing_runs(nowhere, tmp_path):
    done = nowhere.now("down")
    assert (done.code, done.out) == (0, "Nothing runs here.\n")
    assert list(tmp_path.iterdir()) == []


def test_up_does_not_go_beside_named_servers(nowhere, tmp_path):
    nowhere.environment["DESKSTREAM_NATS_URL"] = "nats://nats:4222"
    done = nowhere.now("up")
    assert done.code == 2
    assert "DESKSTREAM_NATS_URL is set" in done.err
    assert list(tmp_path.iterdir()) == []


def test_p11_a_signal_stops_everything_and_keeps_what_was_said(folder):
    tokens, files = set(), mails(folder, 2)
    for number, file in zip((signal.SIGTERM, signal.SIGINT), files, strict=True):
        with up(folder) as (line, process):
            tokens.add(line["token"])
            servers = EmbeddedServers(folder / FOLDER)
            assert servers.status().both_run
            done = deskstream(folder, "send", file)
            assert done.returncode == 0, done.stderr
            wait_for(lambda said=files.index(file) + 1: len(conversations(folder)) == said)
            process.send_signal(number)
            process.communicate(timeout=60)
            assert process.returncode == 0, (folder / "log").read_text()
            status = servers.status()
            assert (status.nats_pid, status.postgres_pid) == (None, None)
            assert not (folder / FOLDER / "desk.json").exists()
    with up(folder) as (line, _):
        assert tokens == {line["token"]}
        assert {one["name"] for one in conversations(folder)} == {"CONV-1", "CONV-2"}


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


@pytest.mark.long
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


@pytest.mark.long
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
def test_secrets_that_were_damaged_are_not_made_anew(nowhere, folder, content):
    (folder / FOLDER).mkdir()
    (folder / FOLDER / "kept.json").write_text(content)
    done = nowhere.now("up")
    assert done.code == 1
    assert "is damaged" in done.err
    assert (folder / FOLDER / "kept.json").read_text() == content

import json
import os
from dataclasses import replace

import pytest

from deskstream.cli.folder import FOLDER
from deskstream.cli.place import find_place, host_and_port, without_password
from deskstream.cli.problem import Problem
from deskstream.cli.state import State, find_folder, read_state, write_state
from deskstream.runtime.embedded.processes import born

NATS = "nats://127.0.0.1:4299"
POSTGRES = "postgresql://desk:secret@127.0.0.1:5499/desk"


HERE = State(
    pid=os.getpid(),
    born=born(os.getpid()),
    nats_url=NATS,
    postgres_url=POSTGRES,
    api_url="http://127.0.0.1:8099",
    token="a token",
    smtp="127.0.0.1:2599",
    inbox="support@desk.example",
    maildir="mails",
)


@pytest.fixture
def running_here(tmp_path):
    folder = tmp_path / FOLDER
    folder.mkdir()
    write_state(folder, HERE)
    return tmp_path


def test_the_environment_comes_before_what_runs_here(running_here, monkeypatch):
    monkeypatch.setenv("DESKSTREAM_NATS_URL", "nats://elsewhere:4222")
    place = find_place(os.environ, running_here)
    assert place.servers.nats_url == "nats://elsewhere:4222"
    assert place.folder is None
    with pytest.raises(Problem, match="DESKSTREAM_API_URL"):
        place.api  # noqa: B018 - asking is what raises


@pytest.mark.parametrize("below", [pytest.param("", id="here"), pytest.param("a/b/c", id="in a folder above")])
def test_what_runs_here_is_found(running_here, below):
    start = running_here / below
    start.mkdir(parents=True, exist_ok=True)
    place = find_place({}, start)
    assert place.servers.nats_url == NATS
    assert place.servers.postgres_dsn == POSTGRES
    assert place.api == ("http://127.0.0.1:8099", "a token")
    assert place.mail_server == ("127.0.0.1", 2599)
    assert place.folder == running_here / FOLDER


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="nothing"),
        pytest.param("{", id="half a file"),
        pytest.param("[]", id="something else"),
        pytest.param('{"pid": 1}', id="too little"),
    ],
)
def test_where_nothing_runs_the_sentence_says_what_to_do(tmp_path, content):
    if content is not None:
        (tmp_path / FOLDER).mkdir()
        (tmp_path / FOLDER / "desk.json").write_text(content)
    place = find_place({}, tmp_path)
    for part in ("servers", "api", "mail_server"):
        with pytest.raises(Problem, match="deskstream up"):
            getattr(place, part)


def test_a_desk_whose_process_and_servers_are_gone_is_none(tmp_path):
    (tmp_path / FOLDER).mkdir()
    write_state(tmp_path / FOLDER, replace(HERE, pid=2**22 - 1, born=1.0))
    assert find_place({}, tmp_path).settings is None


def test_another_process_with_the_pid_of_a_dead_one_is_not_taken_for_it():
    assert HERE.alive
    assert not replace(HERE, born=1.0).alive


def test_the_state_is_its_owner_s_alone_and_hides_its_secrets(running_here):
    file = running_here / FOLDER / "desk.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "a token" not in repr(read_state(running_here / FOLDER))
    assert "secret" not in repr(find_place({}, running_here).state)
    assert json.loads(file.read_text())["token"] == "a token"


def test_the_nearest_one_counts(running_here):
    inner = running_here / "inner"
    (inner / FOLDER).mkdir(parents=True)
    write_state(inner / FOLDER, replace(HERE, nats_url="nats://inner:1"))
    assert find_folder(inner) == inner / FOLDER
    assert find_place({}, inner).servers.nats_url == "nats://inner:1"


def test_a_wrong_variable_is_named_without_its_value(monkeypatch, tmp_path):
    monkeypatch.setenv("DESKSTREAM_POSTGRES_URL", "mysql://root:hunter2@db")
    with pytest.raises(Problem, match="DESKSTREAM_POSTGRES_URL") as raised:
        find_place(os.environ, tmp_path)
    assert "hunter2" not in raised.value.sentence
    assert raised.value.code == 2


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param("127.0.0.1:25", ("127.0.0.1", 25), id="IPv4"),
        pytest.param("[::1]:2525", ("::1", 2525), id="IPv6"),
        pytest.param("mail.example.org:587", ("mail.example.org", 587), id="a name"),
    ],
)
def test_addresses(text, address):
    assert host_and_port(text) == address


@pytest.mark.parametrize("text", ["", "host", ":25", "host:", "host:x", "host:0", "host:65536", "host:²"])
def test_what_is_no_address_is_misuse(text):
    with pytest.raises(Problem) as raised:
        host_and_port(text)
    assert raised.value.code == 2


def test_passwords_are_never_shown():
    assert without_password(POSTGRES) == "postgresql://desk@127.0.0.1:5499/desk"
    assert without_password("nats://token@host:4222") == "nats://token@host:4222"
    assert "hunter2" not in without_password("smtp://user:hunter2@relay:25?password=hunter2")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["tail"], id="tail"),
        pytest.param(["doctor"], id="doctor"),
        pytest.param(["dead-letters", "list"], id="dead-letters"),
        pytest.param(["conversations"], id="conversations"),
        pytest.param(["reply", "CONV-1", "hello", "--as", "anna"], id="reply"),
        pytest.param(["why", "CONV-1"], id="why"),
        pytest.param(["routing", "agents"], id="routing"),
        pytest.param(["migrate"], id="migrate"),
        pytest.param(["provision"], id="provision"),
        pytest.param(["run", "all"], id="run"),
        pytest.param(["send", "-"], id="send"),
    ],
)
def test_every_command_says_that_nothing_runs_here(nowhere, arguments):
    said = nowhere.now(*arguments)
    assert said.code == 1
    assert "deskstream up" in said.err
    assert said.out == ""


def test_programs_get_the_problem_as_json(nowhere):
    said = nowhere.now("doctor", "--json")
    assert said.code == 1
    assert "deskstream up" in said.json["error"]

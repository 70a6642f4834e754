"""Embedded NATS and PostgreSQL: started, found again, killed, side by side, and from folders that are hard to reach."""

import asyncio
import json
import multiprocessing
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest

from deskstream.runtime.embedded.home import Home, home_folder_of_root, open_home
from deskstream.runtime.embedded.processes import EmbeddedServerError, wait_until
from deskstream.runtime.embedded.servers import Addresses, EmbeddedServers, Status
from deskstream.testkit.streams import BareBroker, stream_names

pytestmark = pytest.mark.slow

NOT_READABLE = 77
Make = Callable[[Path], EmbeddedServers]


@pytest.fixture(scope="module")
def make() -> Iterator[Make]:
    made: list[Path] = []

    def remembered(data: Path) -> EmbeddedServers:
        made.append(data)
        return EmbeddedServers(data)

    yield remembered
    for data in made:
        remove(data)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project") / ".deskstream"


@pytest.fixture(scope="module")
def servers(make: Make, data: Path) -> EmbeddedServers:
    return make(data)


def remove(data: Path) -> None:
    EmbeddedServers(data).stop()
    if os.geteuid() == 0:
        shutil.rmtree(home_folder_of_root(data), ignore_errors=True)


def query(addresses: Addresses, sql: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(addresses.postgres_url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(ask())


def create_stream(addresses: Addresses, name: str) -> None:
    with BareBroker(addresses.nats_url) as broker:
        broker.ask(f"$JS.API.STREAM.CREATE.{name}", name=name, subjects=[f"{name}.>"])


def test_a_first_start_and_a_later_one_answer(servers):
    for _ in range(2):
        addresses = servers.start()
        assert query(addresses, "SELECT current_database()") == "deskstream"
        assert stream_names(addresses.nats_url) == set()
        servers.stop()


def test_what_is_discarded_leaves_nothing(make, tmp_path):
    data = tmp_path / "data"
    gone = make(data)
    gone.start()
    home = open_home(data).folder
    gone.discard()
    assert not gone.status().both_run
    assert not data.exists()
    assert not home.exists()


def test_started_twice_there_is_one_of_each_at_the_same_address(servers, data):
    first, before = servers.start(), servers.status()
    assert EmbeddedServers(data).start() == first
    assert servers.status() == before
    assert before.both_run


def test_of_two_commands_at_once_one_starts_them(servers, data):
    servers.stop()
    with ThreadPoolExecutor() as commands:
        first, second = commands.map(lambda _: EmbeddedServers(data).start(), range(2))
    assert first == second


def test_a_stop_keeps_data_and_ports(servers):
    before = servers.start()
    query(before, "CREATE TABLE IF NOT EXISTS kept AS SELECT 7 AS number")
    create_stream(before, "KEPT")
    servers.stop()
    assert not servers.status().both_run
    assert servers.start() == before
    assert query(before, "SELECT number FROM kept") == 7
    assert "KEPT" in stream_names(before.nats_url)


def test_what_was_written_before_a_kill_is_there_after_the_next_start(servers):
    before = servers.start()
    query(before, "CREATE TABLE IF NOT EXISTS survived AS SELECT 8 AS number")
    create_stream(before, "SURVIVED")
    killed = servers.status()
    assert killed.nats_pid
    assert killed.postgres_pid
    for pid in (killed.nats_pid, killed.postgres_pid):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: servers.status() == Status(None, None), within=5)
    after = servers.start()
    assert query(after, "SELECT number FROM survived") == 8
    assert "SURVIVED" in stream_names(after.nats_url)
    assert servers.status() != killed


def test_servers_outlive_a_command_that_was_killed_and_are_used_by_the_next(servers, data):
    servers.stop()
    script = (
        "import os, sys; from pathlib import Path; from deskstream.runtime.embedded.servers import EmbeddedServers; "
        "EmbeddedServers(Path(sys.argv[1])).start(); os.kill(os.getpid(), 9)"
    )
    finished = subprocess.run([sys.executable, "-c", script, data], check=False)
    assert finished.returncode == -signal.SIGKILL
    left = servers.status()
    assert left.both_run
    servers.start()
    assert servers.status() == left


def test_remembered_pids_that_now_belong_to_others_are_left_alone(servers, data):
    before = servers.start()
    servers.stop()
    home = open_home(data)
    for memory in home.folder.glob("*.json"):
        memory.write_text(json.dumps(json.loads(memory.read_text()) | {"pid": os.getpid()}))
    # What a kill -9 leaves, after another process has got the number.
    stale = home.folder / "postgres" / "data" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{stale.parent}\n1\n1\n\n\n\nready\n")
    home.give(stale)
    assert not servers.status().both_run
    assert servers.start() == before
    assert os.getpid() not in (servers.status().nats_pid, servers.status().postgres_pid)


def test_two_folders_have_two_pairs_of_servers(servers, make, tmp_path):
    other = make(tmp_path / "other")
    addresses = [servers.start(), other.start()]
    ours, theirs = addresses
    assert ours.nats_url != theirs.nats_url
    query(ours, "CREATE TABLE only_ours AS SELECT 1")
    assert query(theirs, "SELECT to_regclass('only_ours')") is None
    servers.stop()
    assert other.status().both_run


def test_removing_the_folder_begins_anew(make, tmp_path):
    servers = make(tmp_path / "again")
    query(servers.start(), "CREATE TABLE gone AS SELECT 1")
    if os.geteuid() != 0:
        servers.stop()  # root's data lie elsewhere, and their servers are found and stopped
    shutil.rmtree(tmp_path / "again")
    assert query(servers.start(), "SELECT to_regclass('gone')") is None


def test_a_folder_that_only_its_owner_may_enter_will_do(make, tmp_path):
    closed = tmp_path / "closed to others"
    closed.mkdir(mode=0o700)
    addresses = make(closed / ".deskstream").start()
    assert query(addresses, "SELECT 1") == 1
    assert closed.stat().st_mode & 0o077 == 0


def test_only_its_owner_may_read_the_password_and_the_data(servers, data):
    servers.start()
    folder = open_home(data).folder
    assert (folder / "postgres.password").stat().st_mode & 0o077 == 0
    for room in ("nats", "postgres"):
        assert (folder / room).stat().st_mode & 0o077 == 0


def test_a_wrong_password_is_refused(servers):
    url = servers.start().postgres_url
    right = url.split(":")[2].split("@")[0]
    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(asyncpg.connect(url.replace(right, "wrong")))


def test_status_and_stop_make_nothing_where_nothing_is(tmp_path):
    servers = EmbeddedServers(tmp_path / "nothing")
    assert not servers.status().both_run
    servers.stop()
    assert list(tmp_path.iterdir()) == []


def test_data_of_another_major_version_are_refused_with_a_way_out(make, tmp_path):
    servers = make(tmp_path / "old")
    servers.start()
    servers.stop()
    version = open_home(tmp_path / "old").folder / "postgres" / "data" / "PG_VERSION"
    ours = version.read_text()
    version.write_text("9\n")
    with pytest.raises(EmbeddedServerError, match="was made by PostgreSQL 9, this is 18: dump it"):
        servers.start()
    version.write_text(ours)


def start_twice_and_stop_as_nobody(data: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    if not os.access(Home(data, None).nats_server, os.X_OK):
        sys.exit(NOT_READABLE)
    servers = EmbeddedServers(data)
    assert servers.start() == servers.start()
    assert servers.status().both_run
    servers.stop()
    assert not servers.status().both_run


@pytest.mark.skipif(os.geteuid() != 0, reason="all other tests have shown it already")
def test_an_ordinary_user_runs_them_as_oneself():
    home = Path("/var/tmp") / f"deskstream-ordinary-{os.getpid()}"
    home.mkdir(mode=0o700)
    shutil.chown(home, "nobody")
    try:
        # A fork, because root's own Python may lie where nobody else can start it.
        user = multiprocessing.get_context("fork").Process(
            target=start_twice_and_stop_as_nobody, args=(home / ".deskstream",)
        )
        user.start()
        user.join()
        if user.exitcode == NOT_READABLE:
            pytest.skip("other users may not read this checkout")
        assert user.exitcode == 0
        assert (home / ".deskstream" / "postgres" / "data").owner() == "nobody"
    finally:
        shutil.rmtree(home)


@pytest.mark.skipif(os.geteuid() != 0, reason="concerns root")
def test_roots_servers_run_as_nobody_with_programs_that_nobody_cannot_change(servers, data):
    servers.start()
    status, home = servers.status(), open_home(data)
    for pid in (status.nats_pid, status.postgres_pid):
        assert Path(f"/proc/{pid}").owner() == "nobody"
    assert [path for path in (home.folder / "software").rglob("*") if path.owner() != "root"] == []
    assert [path.name for path in data.iterdir()] == ["pointer.json"]


@pytest.mark.skipif(os.geteuid() != 0, reason="concerns root")
def test_a_folder_that_somebody_laid_out_for_root_is_refused(tmp_path):
    trap = home_folder_of_root(tmp_path / "data")
    trap.mkdir()
    shutil.chown(trap, "nobody")
    try:
        with pytest.raises(EmbeddedServerError, match="is not root's own folder"):
            EmbeddedServers(tmp_path / "data").start()
    finally:
        shutil.rmtree(trap)

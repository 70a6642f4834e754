"""A command that somebody ends leaves nothing behind that it started."""

import signal
import subprocess
from contextlib import suppress

import psutil
import pytest

from libs.cli.tests.desks import CLEAN, COMMAND, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

BENCH = ("bench", "pipeline", "--runs", "1", "--seconds", "20")
SERVERS = {"nats-server", "postgres"}


def started_by(process):
    """Its servers by name; what they start for a moment may be gone before it is asked for its name."""
    found: dict[str, psutil.Process] = {}
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if (name := child.name()) in SERVERS:
                found.setdefault(name, child)
    return found


@pytest.mark.parametrize(
    ("number", "ctrl_c"),
    [
        pytest.param(signal.SIGINT, signal.SIG_DFL, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, signal.SIG_DFL, id="SIGTERM"),
        pytest.param(signal.SIGTERM, signal.SIG_IGN, id="SIGTERM where a shell lets Ctrl-C be ignored"),
    ],
)
def test_a_bench_takes_its_servers_along(tmp_path, number, ctrl_c):
    with subprocess.Popen(
        [*COMMAND, *BENCH],
        cwd=tmp_path,
        env=CLEAN,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, ctrl_c),
    ) as process:
        try:
            wait_for(lambda: started_by(process).keys() == SERVERS)
            started = started_by(process)
            process.send_signal(number)
            assert process.wait(timeout=60) == 130
            assert [name for name, server in started.items() if server.is_running()] == []
        finally:
            process.kill()

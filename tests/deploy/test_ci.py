"""CI says loudly when it tests no containers, and fails when an engine that was to be there is not."""

import os
import shutil
import subprocess

import pytest

from tests.deploy.compose import ROOT

SOURCED = "set -euo pipefail; source .ci/engine; echo engine=$engine; docker info"
ONE_CODE_A_RUN = """#!/bin/sh
read -r codes < codes
echo "${codes#* }" > codes
echo run >> runs
exit "${codes%% *}"
"""
DOCKER = '#!/bin/sh\n[ -n "$DOCKER_HOST" ] && [ -e "$DOCKER_HOST" ]\n'


@pytest.fixture
def source(tmp_path):
    """Sources `.ci/engine` where no engine runs; beside the checkout lies a script that is to start one, or none."""
    tools, stand_ins = tmp_path / "bin", tmp_path / "stand-ins"
    tools.mkdir()
    stand_ins.mkdir()

    def write(path, text):
        path.write_text(text)
        path.chmod(0o755)

    write(tools / "docker", DOCKER)

    def sourced(engine=None):
        if engine:
            write(stand_ins / "engine", f"#!/bin/sh\n{engine}\n")
        environment = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "DESKSTREAM_STAND_INS": str(stand_ins)}
        bash = shutil.which("bash") or "bash"
        return subprocess.run([bash, "-c", SOURCED], cwd=ROOT, env=environment, capture_output=True, text=True)

    return sourced


def test_where_no_engine_is_expected_it_says_loudly_what_is_not_tested(source):
    ended = source()
    assert "engine=no" in ended.stdout
    assert "!! NOT TESTED: containers" in ended.stderr


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param("echo broken >&2; exit 1", id="it cannot be started"),
        pytest.param("echo export DOCKER_HOST=/nobody/listens", id="it was started and does not answer"),
        pytest.param("true", id="it did nothing"),
    ],
)
def test_an_engine_that_is_expected_and_does_not_start_fails(source, engine):
    ended = source(engine)
    assert ended.returncode == 1
    assert "engine=" not in ended.stdout
    assert "FAILED" in ended.stderr


def test_an_engine_that_starts_is_used_and_stopped(source, tmp_path):
    socket = tmp_path / "socket"
    ended = source(f"case $1 in start) touch {socket}; echo export DOCKER_HOST={socket};; stop) rm {socket};; esac")
    assert (ended.returncode, ended.stdout) == (0, "engine=yes\n")
    assert not socket.exists()


@pytest.mark.parametrize(
    ("codes", "ended", "runs"),
    [
        pytest.param("0", 0, 1, id="all is well"),
        pytest.param("3 0", 0, 2, id="late once, as on a busy machine"),
        pytest.param("3 3", 3, 2, id="late twice"),
        pytest.param("1 0", 1, 1, id="P1: what was lost is lost, whatever the next run says"),
    ],
)
def test_a_fault_run_is_tried_again_only_if_it_was_late(tmp_path, codes, ended, runs):
    script = (ROOT / ".ci/run").read_text()
    part = script[script.index("seed=") : script.index('section "Checking style')]
    fake = tmp_path / ".venv/bin/deskstream"
    fake.parent.mkdir(parents=True)
    fake.write_text(
        '#!/bin/sh\nread -r codes < codes\necho "${codes#* }" > codes\necho run >> runs\nexit "${codes%% *}"\n'
    )
    fake.chmod(0o755)
    (tmp_path / "codes").write_text(f"{codes}\n")
    script = f'set -euo pipefail\nagain() {{ "$@"; }}\n{part}\nexit 0\n'
    done = subprocess.run([shutil.which("bash") or "bash", "-c", script], cwd=tmp_path)
    assert (done.returncode, (tmp_path / "runs").read_text().count("run")) == (ended, runs)

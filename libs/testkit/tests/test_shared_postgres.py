"""One PostgreSQL for all test processes: started by the first, stopped by the last."""

import os
import shutil
import subprocess
import sys

import pytest

from deskstream.runtime.embedded.home import home_folder_of_root, open_home
from deskstream.runtime.embedded.postgres import EmbeddedPostgres
from deskstream.testkit.shared_postgres import shared_postgres

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "shared"
    yield folder
    EmbeddedPostgres(open_home(folder)).stop()
    if os.geteuid() == 0:
        shutil.rmtree(home_folder_of_root(folder))


def runs(folder):
    return EmbeddedPostgres(open_home(folder)).running is not None


def test_it_runs_while_anybody_is_there(folder):
    with shared_postgres(folder) as url:
        with shared_postgres(folder) as other:
            assert other == url
        assert runs(folder)
    assert not runs(folder)


def test_a_killed_process_does_not_count(folder):
    script = (
        "import os, sys; from pathlib import Path; from deskstream.testkit.shared_postgres import shared_postgres\n"
        "with shared_postgres(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, folder], check=False)
    assert runs(folder)
    with shared_postgres(folder):
        assert runs(folder)
    assert not runs(folder)


def test_data_that_no_longer_fit_are_made_anew(folder):
    with shared_postgres(folder):
        pass
    control = open_home(folder).folder / "postgres" / "data" / "global" / "pg_control"
    control.write_bytes(b"\0" * control.stat().st_size)
    with shared_postgres(folder):
        assert runs(folder)

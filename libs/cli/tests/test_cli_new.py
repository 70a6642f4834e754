"""`deskstream new`: what is made works at once; names that cannot be are refused with a reason."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MADE = ("services/channel_sms", "services/billing")


@pytest.fixture
def checkout(tmp_path, nowhere):
    """What the command needs to see of a checkout; it is called there."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "libs" / "contracts").mkdir(parents=True)
    (tmp_path / "services" / "crm").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "name", "sentence"),
    [
        pytest.param("channel", "../x", "cannot be a channel's name: use small letters", id="a path"),
        pytest.param("channel", "", "use small letters", id="nothing"),
        pytest.param("channel", "Sms", "use small letters", id="capitals"),
        pytest.param("channel", "sms-two", "use small letters", id="a dash"),
        pytest.param("channel", "2sms", "use small letters", id="a digit first"),
        pytest.param("channel", "sms_", "use small letters", id="an underscore last"),
        pytest.param("channel", "sms\n", "use small letters", id="a line break"),
        pytest.param("channel", "ｓms", "use small letters", id="a letter that only looks like one"),
        pytest.param("channel", "x" * 25, "24 characters at most", id="too long"),
        pytest.param("service", "crm", "services/crm is there already", id="one that exists"),
        pytest.param("service", "contracts", "libs/contracts is a library", id="a library"),
        pytest.param("service", "class", "a word of Python's", id="a word of Python's"),
        pytest.param("service", "order", "PostgreSQL reserves it", id="a word of SQL's"),
        pytest.param("service", "pg_billing", "PostgreSQL reserves it", id="a schema of PostgreSQL's"),
        pytest.param("service", "nats", "a container of every desk is called so", id="the broker's container"),
        pytest.param("service", "migrate", "a container of every desk is called so", id="a one-shot container"),
        pytest.param("service", "utils", "it means nothing", id="a name without meaning"),
        pytest.param("service", "all", "it means nothing", id="what stands for all services"),
        pytest.param("service", "delivery", "subjects use it", id="a lane of another service"),
        pytest.param("service", "outbound", "subjects use it", id="a kind of subjects"),
        pytest.param("service", "channel_sms", "`deskstream new channel sms` makes it", id="a channel as a service"),
    ],
)
def test_names_that_cannot_be_are_refused_with_the_reason(checkout, nowhere, kind, name, sentence):
    before = sorted(checkout.rglob("*"))
    said = nowhere.now("new", kind, name)
    assert said.code == 2
    assert sentence in said.err
    assert sorted(checkout.rglob("*")) == before


def test_outside_of_a_checkout_nothing_is_made(nowhere, tmp_path):
    said = nowhere.now("new", "channel", "sms")
    assert (said.code, "no checkout" in said.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_what_is_made_is_told_and_has_no_placeholder_left(checkout, nowhere):
    said = nowhere.now("new", "channel", "sms", "--json")
    assert said.json["folder"] == "services/channel_sms"
    files = [checkout / name for name in said.json["files"]]
    assert {file.name for file in files} >= {"README.md", "app.py", "0001_taken.sql", "py.typed", "conformance.toml"}
    assert not [file for file in files if "@" in file.name or file.suffix == ".txt"]
    words = ("@NAME@", "@PACKAGE@", "@DIST@", "@ENV@")
    assert not [file for file in files if any(word in file.read_text() for word in words)]
    again = nowhere.now("new", "channel", "sms")
    assert (again.code, "is there already" in again.err) == (2, True)


@pytest.fixture
def skeletons(checkout, nowhere):
    """A channel and a service, made and installed beside this checkout."""
    for kind, name in (("channel", "sms"), ("service", "billing")):
        assert nowhere.now("new", kind, name).code == 0
    install = [
        Path(sys.executable).with_name("uv"),
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--no-sources",
    ]
    run(checkout, *install, "--python", sys.executable, "--target", ".site", *(f"./{made}" for made in MADE))
    return checkout


def run(folder, *command, **environment):
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


# What the house rules say of each service by itself; about all of them together they are silent here.
RULES = "not whoever_may and (rooms or imports or style or arrows and (readme or wired or declares or lanes or heard))"


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_skeleton_passes_its_tests_lint_types_and_the_house_rules_at_once(skeletons):
    python = sys.executable
    run(skeletons, python, "-m", "ruff", "check", "services")
    run(skeletons, python, "-m", "ruff", "format", "--check", "services")
    code = ":".join(str(skeletons / made) for made in MADE)
    mypy = (python, "-m", "mypy", "--cache-dir", ".cache")
    run(skeletons, *mypy, *(f"{made}/deskstream" for made in MADE), MYPYPATH=code)
    # Tests are named by their folder, so the packages must be found elsewhere.
    run(skeletons, *mypy, *(f"{made}/tests" for made in MADE), MYPYPATH=str(skeletons / ".site"))
    pytest_ = (python, "-m", "pytest", "-p", "no:cacheprovider")
    run(skeletons, *pytest_, *MADE, PYTHONPATH=str(skeletons / ".site"))
    shutil.copytree(ROOT / "tests/architecture", skeletons / "tests/architecture")
    run(skeletons, *pytest_, "tests/architecture", "-k", RULES, PYTHONPATH=str(skeletons / ".site"))

"""Every service has the same rooms under one name, and no room is called after nothing."""

import ast
import re
import tomllib
from collections import Counter
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT, modules, parsed, services, suites, text_of

ROOMS = ("domain", "store", "handlers", "config", "app")

MEANS_NOTHING = {
    "base", "common", "core", "data", "handle", "helper", "helpers", "manager", "managers", "misc", "process",
    "service", "services", "shared", "stuff", "util", "utils",
}  # fmt: skip

NAMED_SO = {
    "libs/cli/deskstream/cli/services.py": "the services that are installed, by name",
    "libs/messaging/deskstream/messaging/service.py": "the running service itself, and nothing about it",
    "libs/runtime/deskstream/runtime/process.py": "what a process of the operating system is",
    "libs/testkit/deskstream/testkit/sample/services.py": "the services of the sample",
}

LINES = 300
TEST_LINES = 600
"""A table of decisions may be long; it is read row by row."""

ARGUED_FOR: dict[str, str] = {}
"""File -> why it is longer."""


@pytest.fixture(params=services())
def service(request):
    return request.param


def home(service: str) -> Path:
    return ROOT / "services" / service / "deskstream" / service


def project(service: str) -> dict[str, object]:
    return tomllib.loads(text_of(ROOT / "services" / service / "pyproject.toml"))


def test_every_service_has_its_rooms(service):
    missing = [room for room in ROOMS if not has_room(service, room)]
    assert not missing


def has_room(service: str, room: str) -> bool:
    return (home(service) / f"{room}.py").is_file() or (home(service) / room / "__init__.py").is_file()


def test_a_room_is_a_file_or_a_package(service):
    assert not [path for path in home(service).glob("*.py") if path.with_suffix("").is_dir()]


def test_every_service_says_on_a_page_what_it_is_and_is_tested(service):
    assert (ROOT / "services" / service / "README.md").is_file()
    assert list((ROOT / "services" / service / "tests").glob("test_*.py"))
    assert (home(service) / "py.typed").is_file()


def test_a_service_has_one_name_everywhere(service):
    about = project(service)["project"]
    assert isinstance(about, dict)
    assert about["name"] == f"deskstream-{service.replace('_', '-')}"
    assert about["entry-points"]["deskstream.services"] == {service: f"deskstream.{service}.app:SERVICE"}
    (entry,) = entry_points(group="deskstream.services", name=service)
    assert entry.load().name == service


def test_migrations_are_numbered_without_gaps(service):
    numbers = [path.name[:5] for path in sorted((home(service) / "migrations").glob("*.sql"))]
    assert numbers == [f"{number:04}_" for number in range(1, len(numbers) + 1)]
    assert numbers


def test_migrations_name_no_schema():
    wrong = [
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("*/*/deskstream/*/migrations/*.sql")
        if re.search(
            r"\b(CREATE SCHEMA|SET search_path(?! FROM CURRENT)|DROP TABLE|public\.)", text_of(path), re.IGNORECASE
        )
    ]
    assert not wrong


def test_no_room_is_called_after_nothing():
    wrong = [str(module) for module in modules() if MEANS_NOTHING & set(module.rooms) and str(module) not in NAMED_SO]
    assert not wrong


def test_every_module_opens_with_one_line_about_itself():
    wrong = [
        str(module)
        for module in modules()
        if module.tree.body and not (ast.get_docstring(module.tree) or "").partition("\n")[0].endswith((".", "!", "?"))
    ]
    assert not wrong


def test_no_file_outgrows_a_screenful_of_pages():
    lengths = {str(module): len(text_of(module.path).splitlines()) for module in modules()}
    too_long = {path for path, length in lengths.items() if length > LINES}
    assert too_long == ARGUED_FOR.keys()


def test_no_test_file_outgrows_its_table():
    assert not [str(path) for path in suites() if len(text_of(path).splitlines()) > TEST_LINES]


def test_test_files_have_names_of_their_own():
    counts = Counter(path.name for path in suites() if path.name.startswith("test_"))
    assert not [name for name, count in counts.items() if count > 1]


def test_every_test_file_is_found():
    wrong = [
        path.relative_to(ROOT).as_posix()
        for path in suites()
        if not path.name.startswith(("test_", "conftest"))
        and any(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in parsed(path).body)
    ]
    assert not wrong

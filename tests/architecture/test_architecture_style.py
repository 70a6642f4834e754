"""House rules for what is written: errors, SQL, names of places, leftovers."""

import ast
import os
import re
import socket
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT, files, modules, nodes, parsed, suites, text_of, texts

FATES = {
    "libs/messaging/deskstream/messaging/runner.py": "decides what becomes of a batch",
    "libs/messaging/deskstream/messaging/fold.py": "decides what becomes of a message",
    "libs/messaging/deskstream/messaging/batch.py": "hands a message's error to the fold",
    "libs/messaging/deskstream/messaging/commands.py": "a caller is answered whatever happened",
    "libs/messaging/deskstream/messaging/sending.py": "decides what becomes of a send",
    "libs/messaging/deskstream/messaging/sweeping.py": "goes on when the world is unwell, raises all else",
    "libs/messaging/deskstream/messaging/guarding.py": "goes on when the world is unwell, raises all else",
    "libs/messaging/deskstream/messaging/hearing.py": "goes on when the world is unwell, raises all else",
    "libs/messaging/deskstream/messaging/waking.py": "goes on when the world is unwell, raises all else",
    "libs/messaging/deskstream/messaging/standby.py": "goes on when the world is unwell, raises all else",
    "libs/runtime/deskstream/runtime/health.py": "whatever a check raises is what is wrong",
    "libs/testkit/deskstream/testkit/databases.py": "one service's broken file must not fail the tests of all others",
}
"""File -> why it may catch everything."""

# The statements that touch rows; DDL has to name tables and databases, which cannot be parameters.
DML = re.compile(r"\b(SELECT\s|INSERT\s+INTO\s|UPDATE\s|DELETE\s+FROM\s)")
STAR = re.compile(r"\bSELECT\s+(DISTINCT\s+)?(\w+\.)?\*", re.IGNORECASE)

LEFTOVER = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
PLACES = re.compile(
    r"(/(home|root|Users)/\w|/var/tmp/(?!deskstream)|https?://[\w.-]*(pypi|npmjs|artifactory|nexus)[\w.-]*|"
    r"--(extra-)?index-url|\bregistry\s*=\s*.?http)"
)
PRIVATE_KEY = re.compile(r"-BEGIN [A-Z ]*PRIVATE KEY-")
INDEXES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "NPM_CONFIG_REGISTRY")
PIP = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf", "~/.npmrc", "~/.config/uv/uv.toml")

FAKES = re.compile(r"unittest\.mock|\bmocker\b|monkeypatch\.setattr|\bMagicMock\b")


def catches_all(node: ast.AST) -> bool:
    if not isinstance(node, ast.ExceptHandler):
        return False
    return node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")


def raises_again(node: ast.ExceptHandler) -> bool:
    last = node.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_only_those_who_decide_fates_catch_everything():
    wrong = [
        f"{module}:{node.lineno}"
        for module in modules()
        if str(module) not in FATES
        for node in nodes(module.path)
        if catches_all(node) and isinstance(node, ast.ExceptHandler) and not raises_again(node)
    ]
    assert not wrong


def test_whoever_may_catch_everything_does():
    catching = {str(module) for module in modules() for node in nodes(module.path) if catches_all(node)}
    assert FATES.keys() <= catching


def test_nobody_selects_a_star():
    statements = [
        *((path, line, text) for path in files() if path.suffix == ".sql" for line, text in lines(path)),
        *((module.path, line, text) for module in modules() for line, text in texts(module.path)),
    ]
    assert not [f"{path}:{line}" for path, line, text in statements if STAR.search(text)]


def lines(path: Path) -> list[tuple[int, str]]:
    return list(enumerate(text_of(path).splitlines(), start=1))


def test_no_statement_is_glued_together():
    wrong = [
        f"{module}:{node.lineno}"
        for module in modules()
        for node in nodes(module.path)
        if isinstance(node, ast.expr) and is_glued(node)
    ]
    assert not wrong


def is_glued(node: ast.expr) -> bool:
    match node:
        case ast.JoinedStr(values=parts):
            fixed = [part.value for part in parts if isinstance(part, ast.Constant)]
            return len(fixed) < len(parts) and any(DML.search(str(text)) for text in fixed)
        case ast.BinOp(op=ast.Mod() | ast.Add(), left=left):
            return is_statement(left)
        case ast.Call(func=ast.Attribute(attr="format", value=value)):
            return is_statement(value)
        case _:
            return False


def is_statement(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(DML.search(node.value))


def test_nothing_is_left_for_later():
    assert not told(lambda line: bool(LEFTOVER.search(line)))


def test_no_place_of_a_machine_or_index_stands_in_a_file():
    assert not told(names_a_place)


def test_no_private_key_lies_in_the_repository():
    assert not told(lambda line: bool(PRIVATE_KEY.search(line)))


def told(is_wrong: Callable[[str], bool]) -> list[str]:
    return [
        f"{path}:{number} {line.strip()[:80]}"
        for path in files()
        if path != Path(__file__)
        for number, line in lines(path)
        if is_wrong(line)
    ]


def names_a_place(line: str) -> bool:
    return bool(PLACES.search(line)) or any(place in line for place in places_here())


@cache
def places_here() -> set[str]:
    """What this machine would give away: its package indexes, its name, where this checkout lies."""
    configured = [os.environ.get(name, "") for name in INDEXES]
    configured += [Path(name).expanduser().read_text() for name in PIP if Path(name).expanduser().is_file()]
    hosts = {host for text in configured for host in re.findall(r"https?://(?:[^@/\s]*@)?([\w.-]+)", text)}
    return {*(hosts - {"localhost"}), f"{ROOT}/"} | {name for name in [socket.gethostname()] if len(name) > 11}


def test_tests_fake_nothing_of_ours():
    wrong = [f"{path}:{n}" for path in suites() if path.parent != Path(__file__).parent for n, line in lines(path)
             if FAKES.search(line)]  # fmt: skip
    assert not wrong


def test_tests_and_handlers_explain_themselves_by_their_names():
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in suites()
        for node in parsed(path).body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")
        if ast.get_docstring(node)
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param("see /home/anna/notes", True, id="somebody's home"),
        pytest.param("pip install --index-url x", True, id="an index"),
        pytest.param("https://pypi.org/simple", True, id="a package index by name"),
        pytest.param("GET /api/conversations", False, id="a route"),
        pytest.param("/var/tmp/deskstream-1", False, id="where the embedded servers live"),
    ],
)
def test_places_are_recognised(line, told):
    assert names_a_place(line) is told


@pytest.mark.parametrize(
    ("code", "glued"),
    [
        pytest.param('f"SELECT id FROM {table}"', True, id="an f-string"),
        pytest.param('"DELETE FROM t WHERE id = %s" % name', True, id="a percent"),
        pytest.param('"INSERT INTO t " + columns', True, id="a plus"),
        pytest.param('"UPDATE t SET a = {}".format(a)', True, id="a format"),
        pytest.param('"SELECT id FROM t WHERE id = $1"', False, id="a parameter"),
        pytest.param('f"DROP DATABASE {name}"', False, id="what cannot be a parameter"),
        pytest.param('f"Select one of {names}"', False, id="a sentence"),
    ],
)
def test_glue_is_recognised(code, glued):
    assert is_glued(ast.parse(code, mode="eval").body) is glued

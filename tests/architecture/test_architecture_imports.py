"""Who may import whom."""

import ast
import re
from itertools import chain

import pytest

from tests.architecture.repository import OURS, Module, imports, is_stdlib, modules, nodes, services

LIBRARIES = {
    "contracts": set(),
    "blobs": set(),
    "calendars": set(),
    "messaging": {"contracts"},
    "runtime": {"contracts", "messaging", "blobs"},
    "testkit": {"contracts", "messaging", "blobs", "runtime"},
    "cli": {"contracts", "messaging", "blobs", "runtime", "testkit"},
}
"""Library -> libraries that it may import. A service may import all but the last two."""

PURE = (f"{OURS}.contracts", f"{OURS}.calendars.arithmetic")
"""What a domain may import beside the standard library."""
SHARED = "libs/calendars/deskstream/calendars/arithmetic.py"
"""As pure as a domain, since domains import it."""

NOT_FOR_SERVICES = {"testkit", "cli"}

FOREIGN_IN_CONTRACTS = {"pydantic", "pydantic_core"}

NATS_ELSEWHERE = {
    "libs/testkit/": "tests look at the broker from outside",
    "libs/cli/": "asks, measures and follows as any client could, and is no reader of the system",
}
"""Beginning of the path -> why it may."""

IMPURE = {
    "asyncio", "concurrent", "getpass", "glob", "http", "io", "logging", "multiprocessing", "os", "pathlib", "platform",
    "random", "secrets", "select", "shutil", "signal", "smtplib", "socket", "sqlite3", "ssl", "subprocess", "sys",
    "tempfile", "threading", "time", "urllib.request",
}  # fmt: skip
CLOCKS_AND_DICE = re.compile(r"\b(datetime|date)\.(now|utcnow|today)|\buuid[14]")
WAITING = (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)
EFFECTS = {"open", "print", "input", "exec", "eval", "__import__"}

# A room -> rooms of the same service that it must not know. `domain` has a test of its own.
BACKWARDS = {
    "store": {"handlers", "app", "api", "provider"},
    "translate": {"store", "handlers", "app", "api", "provider"},
    "handlers": {"app", "config"},
    "provider": {"handlers", "app"},
    "views": {"handlers", "app", "api"},
    "api": {"app"},
    "config": {"store", "handlers", "app", "api"},
}


def domain() -> list[Module]:
    """The domains of all services, and what they share."""
    inside = [module for module in modules() if module.place.startswith("services/") and module.room == "domain"]
    return inside + [module for module in modules() if str(module) == SHARED]


def ours(name: str) -> str:
    """The package of ours that an import names: `crm` of `deskstream.crm.store`."""
    return f"{name}.".split(".")[1] if name.startswith(f"{OURS}.") else ""


def packages_of(module: Module) -> set[str]:
    return {ours(found.whole) for found in imports(module)} - {""}


def test_no_service_imports_another():
    wrong = [
        f"{module} imports {other}"
        for module in modules()
        if module.place.startswith("services/")
        for other in packages_of(module) & (set(services()) - {module.package})
    ]
    assert not wrong


def test_no_service_imports_the_tools():
    wrong = [
        f"{module} imports {other}"
        for module in modules()
        if module.place.startswith("services/")
        for other in packages_of(module) & NOT_FOR_SERVICES
    ]
    assert not wrong


def test_libraries_import_only_what_lies_below_them():
    wrong = [
        f"{module} imports {other}"
        for module in modules()
        if module.place.startswith("libs/")
        for other in packages_of(module) - LIBRARIES[module.package] - {module.package}
    ]
    assert not wrong


def test_contracts_need_pydantic_and_nothing_else():
    foreign = {
        found.top
        for module in modules()
        if module.place == "libs/contracts"
        for found in imports(module)
        if found.top != OURS and not is_stdlib(found.top)
    }
    assert foreign <= FOREIGN_IN_CONTRACTS


def test_only_messaging_knows_nats():
    wrong = [
        f"{module}:{found.line} imports {found.module}"
        for module in modules()
        if module.place != "libs/messaging" and not str(module).startswith(tuple(NATS_ELSEWHERE))
        for found in imports(module)
        if found.top == "nats"
    ]
    assert not wrong


def test_a_domain_imports_contracts_the_standard_library_and_itself():
    wrong = [
        f"{module}:{found.line} imports {found.whole}"
        for module in domain()
        for found in imports(module)
        if not is_stdlib(found.top) and not found.whole.startswith((*PURE, module_domain(module)))
    ]
    assert not wrong


def module_domain(module: Module) -> str:
    return f"{OURS}.{module.package}.domain"


def test_a_domain_touches_nothing_outside():
    wrong = [
        f"{module}:{found.line} imports {found.module}"
        for module in domain()
        for found in imports(module)
        if found.module in IMPURE or found.top in IMPURE
    ]
    assert not wrong


@pytest.mark.parametrize(
    "is_wrong",
    [
        pytest.param(lambda node: names_a_clock_or_dice(node), id="no clock, no dice"),
        pytest.param(lambda node: isinstance(node, WAITING), id="no waiting"),
        pytest.param(lambda node: isinstance(node, ast.Call) and called(node) in EFFECTS, id="no reading, no writing"),
    ],
)
def test_a_domain_is_pure(is_wrong):
    wrong = [
        f"{module}:{getattr(node, 'lineno', '?')} {ast.unparse(node)[:60]}"
        for module in domain()
        for node in nodes(module.path)
        if is_wrong(node)
    ]
    assert not wrong


def names_a_clock_or_dice(node: ast.AST) -> bool:
    return isinstance(node, (ast.Attribute, ast.Name, ast.alias)) and bool(CLOCKS_AND_DICE.search(ast.unparse(node)))


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


def test_rooms_know_only_the_rooms_behind_them():
    wrong = [
        f"{module}:{found.line} imports {found.whole}"
        for module in modules()
        if module.place.startswith("services/")
        for found in imports(module)
        if ours(found.whole) == module.package and room_of(found.whole) in BACKWARDS.get(module.room, set())
    ]
    assert not wrong


def room_of(name: str) -> str:
    return f"{name}..".split(".")[2]


def test_nothing_is_imported_inside_a_function():
    wrong = [
        f"{module}:{node.lineno}"
        for module in modules()
        for statement in module.tree.body
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        for node in ast.walk(statement)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    assert not wrong


def test_modules_import_each_other_in_one_direction():
    known = {module.name: module for module in modules()}
    arrows = {name: imported_by(module, known) for name, module in known.items()}
    done: set[str] = set()
    for name in arrows:
        assert not circle(name, arrows, done, ()), circle(name, arrows, done, ())


def imported_by(module: Module, known: dict[str, Module]) -> set[str]:
    named = chain.from_iterable((found.whole, found.module) for found in imports(module))
    return {name for name in named if name in known and not is_parent(name, module.name)}


def is_parent(name: str, child: str) -> bool:
    """A package that lists its own parts is no circle: `from .x import y` in `__init__` comes first."""
    return child.startswith(f"{name}.") or child == name


def circle(name: str, arrows: dict[str, set[str]], done: set[str], way: tuple[str, ...]) -> tuple[str, ...]:
    if name in way:
        return (*way[way.index(name) :], name)
    if name in done:
        return ()
    for other in sorted(arrows[name]):
        if found := circle(other, arrows, done, (*way, name)):
            return found
    done.add(name)
    return ()

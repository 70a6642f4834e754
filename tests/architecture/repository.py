"""What lies in this repository, read once: files, modules, what they import, which room they are."""

import ast
import gc
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = "deskstream"

# Made by tools, or kept byte for byte as it arrived.
_NOT_OURS = {"requirements.lock", "LICENSE"}
_BYTES = {".eml", ".png", ".gz", ".zip", ".ico", ".woff2"}
_MADE = {"__pycache__", "node_modules", "build", "dist"}


@dataclass(frozen=True)
class Module:
    """One Python file of a library's or service's code. `place` is `services/crm`, `name` its dotted import."""

    path: Path
    place: str
    name: str
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.place.partition("/")[2]

    @property
    def rooms(self) -> tuple[str, ...]:
        """The steps below the package: `("domain", "stages")`; the package itself has none."""
        return tuple(self.name.split(".")[2:])

    @property
    def room(self) -> str:
        return self.rooms[0] if self.rooms else ""

    def __str__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()


@cache
def modules() -> tuple[Module, ...]:
    found = sorted([*ROOT.glob("libs/*/deskstream/**/*.py"), *ROOT.glob("services/*/deskstream/**/*.py")])
    return tuple(_module(path) for path in found)


@cache
def services() -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml")))


@cache
def files() -> tuple[Path, ...]:
    """Every text file that we write."""
    return tuple(sorted(path for path in _walk(ROOT) if path.name not in _NOT_OURS and path.suffix not in _BYTES))


@cache
def text_of(path: Path) -> str:
    return path.read_text("utf-8")


@cache
def suites() -> tuple[Path, ...]:
    return tuple(path for path in files() if path.suffix == ".py" and "tests" in path.relative_to(ROOT).parts)


@cache
def parsed(path: Path) -> ast.Module:
    return _trees()[path]


@cache
def _trees() -> dict[Path, ast.Module]:
    # The trees stay for good; looking through them for garbage again and again took most of the time.
    gc.disable()
    trees = {path: ast.parse(text_of(path)) for path in files() if path.suffix == ".py"}
    gc.freeze()
    gc.enable()
    return trees


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Everything in the tree of a file, walked once."""
    return tuple(ast.walk(parsed(path)))


@dataclass(frozen=True)
class Import:
    """One imported name: `module` and, where it came by `from`, the name within it."""

    module: str
    name: str
    line: int

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    @property
    def whole(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module


@cache
def imports(module: Module) -> tuple[Import, ...]:
    return tuple(_imports(nodes(module.path)))


def is_stdlib(top: str) -> bool:
    return top in sys.stdlib_module_names


@cache
def texts(path: Path) -> tuple[tuple[int, str], ...]:
    """Line and text of every string that is no docstring nor other bare sentence; of f-strings the fixed parts."""
    bare = {id(node.value) for node in nodes(path) if isinstance(node, ast.Expr)}
    return tuple(
        (node.lineno, node.value)
        for node in nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare
    )


def sections(readme: str) -> dict[str, str]:
    """What a service's README says under owns, hears, says, answers, keeps: in a table, a list, or under headings."""
    starts = re.compile(r"^(?:\| |- |## )\**(owns|hears|says|answers|keeps)\**", re.IGNORECASE | re.MULTILINE)
    found = list(starts.finditer(readme))
    ends = [match.start() for match in found[1:]] + [len(readme)]
    return {
        match[1].lower(): readme[match.end() : end].split("\n\n#")[0] for match, end in zip(found, ends, strict=True)
    }


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir():
            if path.name not in _MADE and not path.name.endswith(".egg-info") and (
                not path.name.startswith(".") or path.name == ".ci"
            ):  # fmt: skip
                yield from _walk(path)
        else:
            yield path


def _module(path: Path) -> Module:
    kind, package, *rest = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(rest).removesuffix(".__init__")
    return Module(path, f"{kind}/{package}", name, parsed(path))


def _imports(tree: Iterable[ast.AST]) -> Iterator[Import]:
    for node in tree:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, "", node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (Import(node.module or "", alias.name, node.lineno) for alias in node.names)

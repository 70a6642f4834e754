"""Templates become files: all of them, or none."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from deskstream.cli.new.naming import Named
from deskstream.cli.problem import Problem, misused

_SUFFIX: Final = ".txt"
"""Of every template, so that nothing takes one for what it will become."""
_WORD: Final = re.compile(r"@([A-Z]+)@")
_WORKSPACE: Final = "deskstream-workspace"


def find_root(start: Path) -> Path:
    """The checkout that a folder lies in. Raises Problem where it is none."""
    for folder in (start, *start.parents):
        project = folder / "pyproject.toml"
        if project.is_file() and _WORKSPACE in project.read_text("utf-8", "replace"):
            return folder
    raise misused("This is no checkout of Deskstream: call it within one, where libs/ and services/ are.")


def write(named: Named, root: Path) -> list[str]:
    """Makes the folder with everything in it; the files, as paths below the root. Raises Problem."""
    template = files("deskstream.cli.new") / "templates" / named.kind
    target = root / named.folder
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as draft:
            made = Path(draft) / named.package
            for path, text in _filled(template, named.words):
                (made / path).parent.mkdir(parents=True, exist_ok=True)
                (made / path).write_text(text, "utf-8")
            _format(made, root)
            shutil.move(made, target)
    except OSError as error:
        raise Problem(f"{named.folder} cannot be written: {error.strerror}.") from None
    return sorted(path.relative_to(root).as_posix() for path in target.rglob("*") if path.is_file())


def _filled(folder: Traversable, words: Mapping[str, str], below: str = "") -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        path = f"{below}{_fill(entry.name, words)}"
        if entry.is_dir():
            yield from _filled(entry, words, f"{path}/")
        elif entry.name.endswith(_SUFFIX):
            yield path.removesuffix(_SUFFIX), _fill(entry.read_text("utf-8"), words)


def _fill(text: str, words: Mapping[str, str]) -> str:
    return _WORD.sub(lambda found: words.get(found[1], found[0]), text)


def _format(folder: Path, root: Path) -> None:
    """Imports are in order and lines are broken by the length of the name, which templates cannot know."""
    if find_spec("ruff") is None:
        return
    where = ["--config", str(root / "pyproject.toml"), "--quiet", str(folder)]
    for what in (["check", "--select", "I", "--fix"], ["format"]):
        subprocess.run([sys.executable, "-m", "ruff", *what, *where], check=False, capture_output=True)

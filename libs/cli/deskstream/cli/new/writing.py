"""Templates become files: all of them, or none."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from deskstream.cli.new.deploying import deployed
from deskstream.cli.new.filling import filled
from deskstream.cli.new.naming import Named
from deskstream.cli.problem import Problem, misused

_WORKSPACE: Final = "deskstream-workspace"


def find_root(start: Path) -> Path:
    """The checkout that a folder lies in. Raises Problem where it is none."""
    for folder in (start, *start.parents):
        project = folder / "pyproject.toml"
        if project.is_file() and _WORKSPACE in project.read_text("utf-8", "replace"):
            return folder
    raise misused("This is no checkout of Deskstream: call it within one, where libs/ and services/ are.")


def write(named: Named, root: Path) -> list[str]:
    """Makes the folder with everything in it, and has it deployed like the others; the files that are new or changed,
    as paths below the root. Raises Problem."""
    template = files("deskstream.cli.new") / "templates" / named.kind
    target = root / named.folder
    try:
        beside = deployed(named, root)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as draft:
            made = Path(draft) / named.package
            for path, text in filled(template, named.words):
                (made / path).parent.mkdir(parents=True, exist_ok=True)
                (made / path).write_text(text, "utf-8")
            _format(made, root)
            shutil.move(made, target)
        _write(beside, root)
    except OSError as error:
        raise Problem(f"{named.folder} cannot be made: {error.filename}: {error.strerror}.") from None
    made_here = (path.relative_to(root).as_posix() for path in target.rglob("*") if path.is_file())
    return sorted([*made_here, *beside])


def _write(texts: Mapping[str, str], root: Path) -> None:
    for path, text in texts.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text, "utf-8")


def _format(folder: Path, root: Path) -> None:
    """Imports are in order and lines are broken by the length of the name, which templates cannot know."""
    if find_spec("ruff") is None:
        return
    where = ["--config", str(root / "pyproject.toml"), "--quiet", str(folder)]
    for what in (["check", "--select", "I", "--fix"], ["format"]):
        subprocess.run([sys.executable, "-m", "ruff", *what, *where], check=False, capture_output=True)

"""Small disks for the servers' data, which can be filled up; only root may make them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from deskstream.cli.problem import Problem

PAGE = 4096
SIZE = 6 * 1024**3
"""Room enough for ten minutes; a file system in memory takes what is used."""
LEEWAY = 64 * 1024**2
TRIES = 50


@dataclass(frozen=True)
class Disk:
    """A file system of its own at `folder`."""

    folder: Path

    def fill(self) -> None:
        """From now on it has no room for anything. Raises Problem."""
        # The kernel refuses a size below what is used, of which others may write more meanwhile.
        if not any(self._resize(self._used() + LEEWAY) for _ in range(TRIES)):
            raise Problem(f"{self.folder} fills up faster than it can be made small.")
        with suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            while file.write(bytes(PAGE)):
                pass

    def free(self) -> None:
        """It has room again. Raises Problem."""
        self._ballast.unlink(missing_ok=True)
        if not self._resize(SIZE):
            raise Problem(f"{self.folder} cannot be made large again.")

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def _used(self) -> int:
        found = os.statvfs(self.folder)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def _resize(self, size: int) -> bool:
        command = ["mount", "-o", f"remount,size={size}", str(self.folder)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk | None]:
    """Mounted at `folder`, which is made for it, until the block is left; None where that is not allowed."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mounted = os.geteuid() == 0 and not _mount(folder)
    try:
        yield Disk(folder) if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)


def _mount(folder: Path) -> int:
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "deskstream-faults", str(folder)]
    return subprocess.run(command, check=False, capture_output=True).returncode

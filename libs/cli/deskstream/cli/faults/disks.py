"""Small disks for the servers' data, which can be filled up; only root may make them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deskstream.cli.problem import Problem

PAGE = 4096
SIZE = 6 * 1024**3
"""Room enough for ten minutes; a file system in memory takes what is used."""
TRIES = 50


@dataclass(frozen=True)
class Disk:
    """A file system of its own at `folder`."""

    folder: Path

    def fill(self) -> None:
        """From now on it has no room for anything. Raises Problem."""
        # Whoever writes in between makes it fuller than it was to be, which the kernel refuses.
        for _ in range(TRIES):
            if self._resize(self._used() + PAGE):
                return
        raise Problem(f"{self.folder} fills up faster than it can be made small.")

    def free(self) -> None:
        """It has room again. Raises Problem."""
        if not self._resize(SIZE):
            raise Problem(f"{self.folder} cannot be made large again.")

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

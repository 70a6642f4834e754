"""Small disks for the servers' data, which can be filled up; only root may make them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PAGE = 4096
SIZE = 6 * 1024**3
"""Room enough for ten minutes; a file system in memory takes what is used."""


@dataclass(frozen=True)
class Disk:
    """A file system of its own at `folder`."""

    folder: Path

    def fill(self) -> None:
        """From now on it has no room for anything."""
        found = os.statvfs(self.folder)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        self._resize(used + PAGE)

    def free(self) -> None:
        """It has room again."""
        self._resize(SIZE)

    def _resize(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.folder)], check=True, capture_output=True)


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

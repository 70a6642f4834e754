"""The pager of examples/ as tests run it: installed once, a process in JavaScript, events in and lines out."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/pager"
WITHOUT_NODE = "DESKSTREAM_TEST_WITHOUT_NODE"
INSTALL_WITHIN_S = 250
ANSWER_WITHIN_S = 15

needs_node = pytest.mark.skipif(bool(os.environ.get(WITHOUT_NODE)), reason=f"{WITHOUT_NODE} is set")


@dataclass
class Pager:
    """The adapter's process, as the pager sees it."""

    process: asyncio.subprocess.Process
    said: list[str] = field(default_factory=list)

    async def tell(self, event: Mapping[str, Any]) -> None:
        """Something happened at the pager."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(event).encode() + b"\n")
        await self.process.stdin.drain()

    async def says(self, *beginnings: str) -> list[str]:
        """Waits until a line begins so, for each in any order; the lines."""
        missing = list(beginnings)
        assert self.process.stdout is not None
        while missing:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                line = (await self.process.stdout.readline()).decode().rstrip("\n")
            assert line, "the adapter has ended"
            self.said.append(line)
            missing = [one for one in missing if not line.startswith(one)]
        return self.said[-len(beginnings) :]


def install(folder: Path) -> Path:
    """The example with its libraries, as its lock pins them."""
    missing = [command for command in ("node", "npm") if shutil.which(command) is None]
    assert not missing, f"{' and '.join(missing)} not found: install Node 20, or set {WITHOUT_NODE}=1 to do without"
    shutil.copytree(EXAMPLE, folder / "pager", ignore=shutil.ignore_patterns("node_modules"))
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder / "pager", capture_output=True, text=True, timeout=INSTALL_WITHIN_S)
    assert done.returncode == 0, done.stderr
    return folder / "pager"


@asynccontextmanager
async def running(installed: Path, told: Mapping[str, str]) -> AsyncIterator[Pager]:
    """The adapter, told where its desk is; leaving kills it."""
    process = await asyncio.create_subprocess_exec(
        "node", "adapter.js", cwd=installed, env=os.environ | dict(told),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Pager(process)
    finally:
        process.kill()
        await process.wait()

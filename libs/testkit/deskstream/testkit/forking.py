"""Processes that start in a moment, forked from one that has imported everything; each is real, and dies really.

`python -m deskstream.testkit.forking MODULES…` is the one that is forked; it runs one child at a time.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import runpy
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.metadata import entry_points

from deskstream.messaging.failpoints import ENVIRONMENT

_DIE_WITH_PARENT = 1


class Forked:
    """One process at a time: `start` it, see how it `ended`, start it again. `deaths` are the exit codes so far."""

    def __init__(self, stem: asyncio.subprocess.Process) -> None:
        self._stem = stem
        self._pid = 0
        self._ended: asyncio.Task[int] | None = None
        self.deaths: list[int] = []

    async def start(self, module: str, *arguments: str, failpoint: str = "") -> None:
        """Runs `python -m module arguments…` with the environment as it is now; the last one must have ended."""
        environment = {**os.environ, ENVIRONMENT: failpoint}
        asked = {"module": module, "arguments": arguments, "environment": environment}
        assert self._stem.stdin is not None
        self._stem.stdin.write(json.dumps(asked).encode() + b"\n")
        self._pid = await self._number()
        self._ended = asyncio.create_task(self._wait())

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._ended is not None and not self._ended.done()

    async def ended(self) -> int:
        """Waits for its end; minus the signal that killed it, or its exit code."""
        assert self._ended is not None
        return await asyncio.shield(self._ended)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Sends it a signal, if it runs."""
        if self.running:
            os.kill(self._pid, number)

    async def stop(self) -> None:
        """Ends it in good order."""
        self.kill(signal.SIGTERM)
        if self._ended is not None:
            await self._ended

    async def _wait(self) -> int:
        code = await self._number()
        self.deaths.append(code)
        return code

    async def _number(self) -> int:
        assert self._stem.stdout is not None
        # Nothing is said by a stem that was killed.
        return int(await self._stem.stdout.readline() or -signal.SIGKILL)


@asynccontextmanager
async def forking(*modules: str) -> AsyncIterator[Forked]:
    """A stem that has imported these modules and all services; what runs is stopped at the end."""
    stem = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deskstream.testkit.forking", *modules,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    forked = Forked(stem)
    try:
        yield forked
        await forked.stop()
    finally:
        if stem.returncode is None:
            stem.kill()
        await stem.wait()


def main(modules: Sequence[str]) -> None:
    """Imports, then forks for every line that comes in; says the child's pid, and its exit code when it has ended."""
    _die_with_parent()
    for entry in entry_points(group="deskstream.services"):
        entry.load()
    for module in modules:
        import_module(module)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _become(json.loads(line))
        print(pid, flush=True)  # noqa: T201 - the protocol
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201


def _become(asked: dict[str, object]) -> None:
    _die_with_parent()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    environment, arguments = asked["environment"], asked["arguments"]
    assert isinstance(environment, dict)
    assert isinstance(arguments, list)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [str(asked["module"]), *arguments]
    code = 1
    try:
        runpy.run_module(str(asked["module"]), run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    finally:
        sys.stderr.flush()
        os._exit(code)


def _die_with_parent() -> None:
    # A test run that is killed leaves nothing behind.
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])

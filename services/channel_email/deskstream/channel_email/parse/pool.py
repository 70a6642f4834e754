"""The service's side of the child processes: hands them mails, ends those that take too long, starts others."""

import asyncio
import signal
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from deskstream.channel_email.parse.parsed import MAX_MAIL_BYTES, ParsedMail, Unreadable

# The kernel counts 2 s of CPU; on a machine that is busy otherwise they may take much longer to pass.
ANSWER_WITHIN = 30.0
STOP_WITHIN = 2.0
MAX_HEADER_BYTES = 16 * 1024 * 1024
TRIES = 2

CHILD = (sys.executable, "-m", "deskstream.channel_email.parse")

_LENGTH = struct.Struct("!I")
# The child gets no secrets: its environment is empty but for what Python needs.
_ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Problem:
    """What the child says of a mail that it refuses."""

    code: str
    sentence: str


_ANSWER: TypeAdapter[ParsedMail | Problem] = TypeAdapter(ParsedMail | Problem)


class ReadersBusy(Exception):
    """No child answered in time, by no fault that is known to be the mail's."""


class _Lost(Exception):
    """The child went away before it had answered."""

    def __init__(self, returncode: int) -> None:
        super().__init__(f"ended with {returncode}")
        self.returncode = returncode


class Readers:
    """A few child processes; each reads one mail at a time."""

    def __init__(self, count: int, *, command: Sequence[str] = CHILD, within: float = ANSWER_WITHIN) -> None:
        self._command = command
        self._within = within
        self._count = count
        self._free: asyncio.LifoQueue[Process | None] = asyncio.LifoQueue()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Readers"]:
        """Starts them all, so that the first mail waits for none; ends them all."""
        started = 0
        try:
            while started < self._count:
                self._free.put_nowait(await _start(self._command))
                started += 1
            yield self
        finally:
            for _ in range(started):
                await _end(await self._free.get())

    async def read(self, raw: bytes) -> tuple[ParsedMail, tuple[bytes, ...]]:
        """The mail, and the bytes of its files in order.

        Raises `Unreadable` when the mail is beyond a limit or ends every child that looks at it, `ReadersBusy` when
        nobody could look at it in time.
        """
        for _ in range(TRIES):
            try:
                return await self._read_once(raw)
            except _Lost as lost:
                if lost.returncode == -signal.SIGPROF:
                    raise Unreadable("took_too_long", "It took too long to read.") from lost
        raise Unreadable("unreadable", "It cannot be read.")

    async def _read_once(self, raw: bytes) -> tuple[ParsedMail, tuple[bytes, ...]]:
        child = await self._free.get()
        answered = False
        try:
            if child is None or child.returncode is not None:
                child = await _start(self._command)
            answer = await asyncio.wait_for(_ask(child, raw), self._within)
            answered = True
        except TimeoutError as error:
            raise ReadersBusy(f"no answer within {self._within:g} s") from error
        finally:
            if not answered:
                # It may still be writing what nobody waits for any more.
                await _end(child, at_once=True)
                child = None
            self._free.put_nowait(child)
        if isinstance(answer, Problem):
            raise Unreadable(answer.code, answer.sentence)
        return answer


async def _ask(child: Process, raw: bytes) -> tuple[ParsedMail, tuple[bytes, ...]] | Problem:
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(_LENGTH.pack(len(raw)))
        child.stdin.write(raw)
        await child.stdin.drain()
        (size,) = _LENGTH.unpack(await child.stdout.readexactly(_LENGTH.size))
        if size > MAX_HEADER_BYTES:
            raise _Lost(await _end(child, at_once=True))
        answer = _ANSWER.validate_json(await child.stdout.readexactly(size))
        if isinstance(answer, Problem):
            return answer
        if sum(file.size for file in answer.files) > MAX_MAIL_BYTES:
            raise _Lost(await _end(child, at_once=True))
        return answer, tuple([await child.stdout.readexactly(file.size) for file in answer.files])
    except (asyncio.IncompleteReadError, ConnectionError, ValidationError) as error:
        raise _Lost(await _end(child)) from error


async def _start(command: Sequence[str]) -> Process:
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env=_ENVIRONMENT,
        start_new_session=True,
    )


async def _end(child: Process | None, *, at_once: bool = False) -> int:
    """Closes its stdin, by which it ends; kills it if it does not, or if nobody should wait."""
    if child is None:
        return 0
    if child.stdin is not None:
        child.stdin.close()
    if at_once and child.returncode is None:
        child.kill()
    try:
        return await asyncio.wait_for(child.wait(), STOP_WITHIN)
    except TimeoutError:
        child.kill()
        return await child.wait()

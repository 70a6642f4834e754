"""An import on its way: accounts first, then contacts, many at a time, and what became of each row."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, BinaryIO, Final, Protocol
from uuid import uuid4

from deskstream.cli.asking import Client, answered
from deskstream.cli.problem import Problem, misused
from deskstream.contracts import Answered, Command
from deskstream.contracts.crm import SaveAccount, SaveContact
from deskstream.runtime.settings import read_settings

AT_ONCE: Final = 32
UNAVAILABLE: Final = "unavailable"
TRIES: Final = 8


class Row(Protocol):
    """A row that can be sent."""

    line: int
    command: Command
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row, or a column, that was left out."""

    line: int
    column: str
    reason: str
    value: str = ""


@dataclass(slots=True)
class Imported:
    """What became of a file."""

    accounts: int = 0
    contacts: int = 0
    rejected: list[Rejected] = field(default_factory=list)

    def count(self, command: Command) -> None:
        """One more was taken."""
        if isinstance(command, SaveAccount):
            self.accounts += 1
        else:
            self.contacts += 1


def rows_of(file: BinaryIO, attempt: str) -> Iterator[Any]:
    """Rows and rejections as the CRM reads them. Raises Problem when nothing of the file can be read."""
    file.seek(0)
    # The rules for addresses are the CRM's own; a command line knows them by name only.
    app, imports = import_module("deskstream.crm.app"), import_module("deskstream.crm.imports")
    rules = app.address_rules(read_settings(app.SERVICE.settings))
    try:
        yield from imports.read_rows(file, rules=rules, attempt=attempt)
    except imports.NotImportable as no:
        raise misused(str(no)) from None


def check_file(file: BinaryIO) -> Imported:
    """What an import would do, without asking anybody."""
    imported = Imported()
    for row in rows_of(file, ""):
        if _is_rejection(row):
            imported.rejected.append(_rejection(row))
        else:
            imported.count(row.command)
    return imported


async def import_file(client: Client, file: BinaryIO, moved: Callable[[int], None]) -> Imported:
    """Sends everything; `moved` hears how many bytes have been read so far, of twice the file."""
    imported, attempt = Imported(), uuid4().hex
    size = file.seek(0, 2)
    # A contact names its account: that one must be there already.
    for place, kind in enumerate((SaveAccount, SaveContact)):
        async with _Sending(client, imported) as sending:
            for row in rows_of(file, attempt):
                if _is_rejection(row):
                    imported.rejected += [_rejection(row)] if place == 0 else []
                elif isinstance(row.command, kind):
                    await sending.send(row)
                moved(place * size + file.tell())
    imported.rejected.sort(key=lambda rejected: rejected.line)
    return imported


class _Sending:
    """Up to `AT_ONCE` commands on their way; leaving it waits for all of them."""

    def __init__(self, client: Client, imported: Imported) -> None:
        self._client = client
        self._imported = imported
        self._places = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: BaseException | None = None

    async def __aenter__(self) -> "_Sending":
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._failed:
            raise self._failed

    async def send(self, row: Row) -> None:
        """Returns when there is a place for it. Raises Problem when nobody answers."""
        await self._places.acquire()
        if self._failed:
            raise self._failed
        task = asyncio.create_task(self._send(row))
        self._tasks.add(task)
        task.add_done_callback(self._sent)

    def _sent(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._places.release()
        if not task.cancelled() and (error := task.exception()):
            self._failed = error

    async def _send(self, row: Row) -> None:
        answer = await self._answer(row)
        if answer.ok:
            self._imported.count(row.command)
        else:
            reason = answer.error.sentence if answer.error else "Refused without a reason."
            self._imported.rejected.append(Rejected(row.line, "", reason))

    async def _answer(self, row: Row) -> Answered:
        for attempt in range(TRIES):
            answer = await answered(self._client, row.command, key=row.idempotency_key, within=30.0)
            if answer.ok or not answer.error or answer.error.code != UNAVAILABLE:
                return answer
            await asyncio.sleep(0.1 * 2**attempt)
        raise Problem("The CRM has too much to do just now. Run the import again later: what is there stays.")


def _is_rejection(row: Any) -> bool:
    return not hasattr(row, "command")


def _rejection(row: Any) -> Rejected:
    return Rejected(row.line, row.column, row.reason, row.value)

"""From bytes to records: numbered lines, quoted cells that go over several of them, and damage that stays small."""

import csv
from collections import deque
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO, Final

LINE_LIMIT: Final = 1024 * 1024
RECORD_LINES: Final = 50
"""More lines than one cell of an address list has: beyond it a quotation mark was never closed."""

_BOM: Final = b"\xef\xbb\xbf"


class NotImportable(Exception):
    """Nothing of the file can be read; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class _Line:
    """`digest` is of all lines up to and with this one; bytes that are no UTF-8 are kept as lone surrogates."""

    number: int
    text: str
    digest: str
    too_long: bool = False


class _Lines:
    """Physical lines for the `csv` module, which asks for another one as long as a quotation mark is open."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._ahead: deque[_Line] = deque()
        self._number = 0
        self._digest = b""
        self.taken: list[_Line] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else self._read()
        if line is None:
            raise StopIteration
        self.taken.append(line)
        if line.too_long:
            raise csv.Error(f"the line is longer than {LINE_LIMIT} bytes")
        if len(self.taken) > RECORD_LINES:
            raise csv.Error("a quotation mark is opened here and not closed")
        return line.text

    def put_back(self, lines: list[_Line]) -> None:
        """These are read again, before all others."""
        self._ahead.extendleft(reversed(lines))
        self.taken = []

    def _read(self) -> _Line | None:
        raw = self._stream.readline(LINE_LIMIT)
        if not raw:
            return None
        too_long = len(raw) == LINE_LIMIT and not raw.endswith(b"\n")
        if too_long:
            self._skip_line()
        self._number += 1
        self._digest = sha256(self._digest + raw).digest()
        if self._number == 1:
            raw = _without_mark(raw)
        return _Line(self._number, raw.decode("utf-8", "surrogateescape"), self._digest.hex(), too_long)

    def _skip_line(self) -> None:
        while (more := self._stream.readline(LINE_LIMIT)) and not more.endswith(b"\n"):
            pass


def _without_mark(raw: bytes) -> bytes:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in raw[:4]:
        raise NotImportable("The file is not UTF-8 but UTF-16 or UTF-32: save it as “CSV UTF-8”.")
    return raw.removeprefix(_BOM)


class Records:
    """The records of a CSV file, one at a time. `line` is where the last one began, `digest` the file's up to it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._lines = _Lines(stream)
        self._reader = csv.reader(self._lines, strict=True)
        self.line = 0
        self.digest = ""

    def first_line(self) -> str | None:
        """The first line that is not blank, as it stands, for finding the delimiter; read again afterwards.

        Raises `NotImportable` for one that is too long to be a header.
        """
        try:
            for text in self._lines:
                if text.strip():
                    self._lines.put_back(self._lines.taken)
                    return text
                self._lines.taken.clear()
        except csv.Error as error:
            raise NotImportable(f"The file has no header: {error}.") from None
        return None

    def split_by(self, delimiter: str) -> None:
        """Says what stands between the cells of all that follows."""
        self._reader = csv.reader(self._lines, delimiter=delimiter, strict=True)

    def skip_line(self) -> None:
        """Leaves a line out."""
        next(self._lines)

    def next(self) -> list[str] | str | None:
        """Cells; or why the line at `line` has none, after which the next line is tried; None at the end."""
        while True:
            self._lines.taken.clear()
            try:
                cells = next(self._reader)
            except StopIteration:
                return None
            except csv.Error as error:
                return self._give_up(error)
            if any(cell.strip() for cell in cells):
                self._note()
                return cells

    def _give_up(self, error: csv.Error) -> str:
        """Only the first line is lost: a forgotten quotation mark must not take the rest of the file with it."""
        self._note()
        self._lines.put_back(self._lines.taken[1:])
        return f"This is no CSV: {error}."

    def _note(self) -> None:
        self.line = self._lines.taken[0].number
        self.digest = self._lines.taken[-1].digest

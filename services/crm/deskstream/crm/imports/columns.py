"""The header: which columns a file has, and what stands between them."""

import re
from dataclasses import dataclass
from typing import Final

from deskstream.crm.imports.lines import NotImportable, Records

ACCOUNT_COLUMNS: Final = ("domains", "stage", "tier", "priority", "default_owner", "workspaces")
CONTACT_COLUMNS: Final = ("name", "phone", "workspace")
COLUMNS: Final = ("account", "email", *ACCOUNT_COLUMNS, *CONTACT_COLUMNS)

_DELIMITERS: Final = ",;\t|"
_SEPARATOR_LINE = re.compile(r"sep=([,;\t|:])\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row, or a column of the header, that is left out. `column` is empty where the whole line is meant."""

    line: int
    column: str
    reason: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """`columns` by position; None for one that is not known."""

    columns: tuple[str | None, ...]
    unknown: tuple[Rejected, ...] = ()


def read_header(records: Records) -> Header:
    """Raises `NotImportable` when there is none, or when it names a column twice."""
    records.split_by(_delimiter(records))
    cells = records.next()
    if not isinstance(cells, list):
        raise NotImportable("The file is empty." if cells is None else f"Line {records.line}: {cells}")
    names = [_column(cell) for cell in cells]
    columns = tuple(name if name in COLUMNS else None for name in names)
    if not {"account", "email"} & set(columns):
        raise NotImportable(
            f"Line {records.line} is no header: the first line must name the columns, at least “account” or “email”. "
            f"Known are {', '.join(COLUMNS)}."
        )
    for column in columns:
        if column is not None and columns.count(column) > 1:
            raise NotImportable(f"Line {records.line} names the column “{column}” twice.")
    unknown = [(name, cell) for name, cell in zip(names, cells, strict=True) if name not in COLUMNS and name]
    return Header(columns, tuple(_ignored(records.line, cell) for _, cell in unknown))


def _ignored(line: int, cell: str) -> Rejected:
    return Rejected(line, cell.strip()[:100], f"Unknown column, ignored. Known are {', '.join(COLUMNS)}.")


def _delimiter(records: Records) -> str:
    """The one by which the first line names most columns; Excel may have written it down before."""
    first = records.first_line() or ""
    if written := _SEPARATOR_LINE.fullmatch(first):
        records.skip_line()
        return written[1]
    return max(_DELIMITERS, key=lambda delimiter: _known(first, delimiter))


def _known(line: str, delimiter: str) -> int:
    return sum(_column(cell.strip(' "\r\n')) in COLUMNS for cell in line.split(delimiter))


def _column(cell: str) -> str:
    """`Default Owner` and `E-Mail` are known too."""
    name = re.sub(r"[\s-]+", "_", cell.strip().lower())
    return {"e_mail": "email", "domain": "domains"}.get(name, name)

"""Accounts and contacts from a CSV file: commands to send, and rows that cannot be, each with its reason.

Nothing is sent from here. A caller goes through the file twice: accounts first, and contacts once these are answered,
since a contact names its account.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from deskstream.contracts.crm import SaveAccount, SaveContact
from deskstream.crm.identities import AddressRules
from deskstream.crm.imports.columns import Rejected, read_header
from deskstream.crm.imports.lines import NotImportable, Records
from deskstream.crm.imports.reading import Reader

__all__ = ["NotImportable", "Rejected", "Row", "read_rows"]


@dataclass(frozen=True, slots=True)
class Row:
    """A command to send under its idempotency key; sending it again is harmless."""

    line: int
    command: SaveAccount | SaveContact
    idempotency_key: str


def read_rows(stream: BinaryIO, *, rules: AddressRules | None = None, attempt: str = "") -> Iterator[Row | Rejected]:
    """The file's rows in their order, read as they are asked for; a row is taken whole or rejected whole.

    The idempotency key of a row follows from the file up to it, its line, and `attempt`: the same file again gets the
    answers it got, for as long as these are kept; another `attempt` asks anew. Raises `NotImportable` when the file as
    a whole cannot be read: no header that names `account` or `email`, not UTF-8 from the start, empty.
    """
    records = Records(stream)
    header = read_header(records)
    yield from header.unknown
    reader = Reader(header, rules or AddressRules())
    while (record := records.next()) is not None:
        if isinstance(record, str):
            yield Rejected(records.line, "", record)
            continue
        for found in reader.read(records.line, record):
            if isinstance(found, Rejected):
                yield found
            else:
                yield Row(records.line, found, f"import/{records.digest}/{found.NAME}{attempt and f'/{attempt}'}")

"""From a row's cells to commands, or to the reasons why not."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, TypeAlias

from pydantic import ValidationError

from deskstream.contracts import Refused
from deskstream.contracts.crm import SaveAccount, SaveContact
from deskstream.contracts.facts import AccountStage, Priority
from deskstream.crm.domain.account import check_name, check_owner
from deskstream.crm.domain.names import name_key
from deskstream.crm.identities import AddressRules, valid_email
from deskstream.crm.imports.columns import ACCOUNT_COLUMNS, CONTACT_COLUMNS, Header, Rejected

Command: TypeAlias = SaveAccount | SaveContact
Values: TypeAlias = Mapping[str, Any]

_DOMAINS_APART = re.compile(r"[\s,;|]+")
_NAMES_APART = re.compile(r"[\r\n,;|]+")
_VALUE_SHOWN: Final = 100

# What our own exports put before a cell that a spreadsheet would take for a formula.
_GUARDED = re.compile(r"'(?=[=+\-@\t\r])")


@dataclass(slots=True)
class Reader:
    """Reads row after row, and remembers what the file said before."""

    header: Header
    rules: AddressRules
    _seen: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """Which account or contact stood on which line, and a hash of the command."""
    _domains: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Which domain was given on which line to which account."""

    def read(self, line: int, record: Sequence[str]) -> Sequence[Command | Rejected]:
        """What the row asks for: an account, a contact, or both in this order; or all that is wrong with it."""
        if len(record) > len(self.header.columns):
            surplus = f"The line has {len(record)} cells, the header {len(self.header.columns)}."
            return [Rejected(line, "", f"{surplus} A delimiter inside a cell needs quotation marks around it.")]
        named = zip(self.header.columns, record, strict=False)
        cells = {column: text for column, cell in named if column is not None and (text := _text(cell))}
        values, problems = self._values(line, cells)
        problems += _missing(line, cells)
        return problems or self._take(line, values)

    def _values(self, line: int, cells: Mapping[str, str]) -> tuple[Values, list[Rejected]]:
        values: dict[str, Any] = {}
        problems = []
        for column, text in cells.items():
            try:
                values[column] = _read_cell(column, text, self.rules)
            except Refused as refused:
                problems.append(Rejected(line, column, refused.sentence, _shown(text)))
        return values, problems

    def _take(self, line: int, values: Values) -> Sequence[Command | Rejected]:
        try:
            commands = _commands(values)
        except ValidationError as error:
            return [Rejected(line, _column(error.title, problem["loc"]), problem["msg"]) for problem in error.errors()]
        clashes = [clash for command in commands for clash in self._clashes(line, command, alone=len(commands) == 1)]
        if clashes:
            return clashes
        fresh = [command for command in commands if _what(command) not in self._seen]
        for command in fresh:
            self._remember(line, command)
        return fresh

    def _clashes(self, line: int, command: Command, *, alone: bool) -> list[Rejected]:
        """What an earlier line said already, or otherwise: sent at once, either of them could win."""
        column = "account" if isinstance(command, SaveAccount) else "email"
        before, said = self._seen.get(_what(command), (0, b""))
        if before and said != _hash(command):
            advice = " Write all its domains and workspaces into one line." if column == "account" else ""
            return [Rejected(line, column, f"Line {before} has it with other values.{advice}", _shown(_of(command)))]
        # A list of contacts repeats the account on each of its lines.
        if before and (alone or column == "email"):
            return [Rejected(line, column, f"Repeats line {before}.", _shown(_of(command)))]
        return self._taken_domains(line, command) if isinstance(command, SaveAccount) else []

    def _taken_domains(self, line: int, command: SaveAccount) -> list[Rejected]:
        owner = name_key(command.name)
        return [
            Rejected(line, "domains", f"Line {self._domains[domain][0]} gives it to another account.", domain)
            for domain in command.domains
            if self._domains.get(domain, (0, owner))[1] != owner
        ]

    def _remember(self, line: int, command: Command) -> None:
        self._seen[_what(command)] = (line, _hash(command))
        if isinstance(command, SaveAccount):
            self._domains.update(dict.fromkeys(command.domains, (line, name_key(command.name))))


def _text(cell: str) -> str:
    return _GUARDED.sub("", cell.strip(), count=1)


def _shown(text: str) -> str:
    return text[:_VALUE_SHOWN].encode("utf-8", "replace").decode()


def _missing(line: int, cells: Mapping[str, str]) -> list[Rejected]:
    filled = cells.keys()
    if filled & set(ACCOUNT_COLUMNS) and "account" not in filled:
        return [Rejected(line, "account", "Empty: an account needs its name.")]
    if filled & set(CONTACT_COLUMNS) and "email" not in filled:
        return [Rejected(line, "email", "Empty: a contact needs its mail address.")]
    if not filled:
        return [Rejected(line, "", "Neither an account nor a mail address.")]
    return []


def _commands(values: Values) -> list[Command]:
    """Raises `ValidationError` for what is too long."""
    commands: list[Command] = []
    account = {column: values[column] for column in ACCOUNT_COLUMNS if column in values}
    if account or "email" not in values:
        commands.append(SaveAccount(name=values["account"], **account))
    if "email" in values:
        contact = {column: values[column] for column in ("account", *CONTACT_COLUMNS) if column in values}
        commands.append(SaveContact(email=values["email"], **contact))
    return commands


def _column(command: str, place: tuple[int | str, ...]) -> str:
    field_name = str(place[0])
    return "account" if (command, field_name) == (SaveAccount.__name__, "name") else field_name


def _what(command: Command) -> str:
    if isinstance(command, SaveAccount):
        return f"account {name_key(command.name)}"
    return f"contact {command.email}"


def _of(command: Command) -> str:
    return command.name if isinstance(command, SaveAccount) else command.email


def _hash(command: Command) -> bytes:
    return sha256(command.model_dump_json().encode()).digest()[:16]


def _read_cell(column: str, text: str, rules: AddressRules) -> object:
    if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
        raise Refused("wrong_encoding", "Not UTF-8: save the file as “CSV UTF-8”.")
    return _CELLS[column](text, rules)


def _name(what: str) -> Callable[[str, AddressRules], str]:
    def read(text: str, rules: AddressRules) -> str:
        check_name(text, what)
        return text

    return read


def _owner(text: str, rules: AddressRules) -> str:
    check_owner(text)
    return text


def _choice(choices: type[StrEnum]) -> Callable[[str, AddressRules], StrEnum]:
    def read(text: str, rules: AddressRules) -> StrEnum:
        try:
            return choices(text.lower())
        except ValueError:
            raise Refused("unknown_value", f"Must be one of {', '.join(choices)}.") from None

    return read


def _parts(apart: re.Pattern[str], text: str) -> list[str]:
    return [part.strip() for part in apart.split(text) if part.strip()]


_CELLS: Final[Mapping[str, Callable[[str, AddressRules], object]]] = {
    "account": _name("account"),
    "email": lambda text, rules: valid_email(text),
    "domains": lambda text, rules: tuple(dict.fromkeys(map(rules.company_domain, _parts(_DOMAINS_APART, text)))),
    "stage": _choice(AccountStage),
    "tier": _name("tier"),
    "priority": _choice(Priority),
    "default_owner": _owner,
    "workspaces": lambda text, rules: tuple(_parts(_NAMES_APART, text)),
    "name": _name("contact"),
    "phone": lambda text, rules: rules.valid_phone(text),
    "workspace": _name("workspace"),
}

"""What a new channel or service may be called: its name is its folder, import, schema, durable and user."""

import keyword
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from deskstream.cli.problem import misused
from deskstream.contracts import subjects
from deskstream.runtime.channels import PREFIX

Kind: TypeAlias = Literal["channel", "service"]

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST: Final = {"channel": 24, "service": 32}

# Names that mean nothing, which no room and no service has, and what commands call all of them.
_EMPTY: Final = """
base common core data handle helper helpers manager managers misc process service services shared stuff util utils
all any main test tests new name
"""
# Containers of every desk that are no services of ours.
_CONTAINERS: Final = frozenset({"nats", "postgres", "roles", "migrate", "provision", "tools"})
# Kinds of subjects, and lanes that are not named after their writer.
_SUBJECTS: Final = frozenset({"events", "inbound", "outbound", "commands", "probes"})
# What cannot be a schema's name without quotes (PostgreSQL 18, appendix C), and schemas of PostgreSQL's own.
_RESERVED_BY_SQL: Final = """
all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation column
concurrently constraint create cross current_catalog current_date current_role current_schema current_time
current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze from
full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit localtime
localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references returning
right select session_user similar some symmetric system_user table tablesample then to trailing true union unique user
using variadic verbose when where window with information_schema public
"""


@dataclass(frozen=True, slots=True)
class Named:
    """Everything that a name becomes."""

    kind: Kind
    name: str

    @property
    def package(self) -> str:
        return f"{PREFIX}{self.name}" if self.kind == "channel" else self.name

    @property
    def folder(self) -> str:
        return f"services/{self.package}"

    @property
    def words(self) -> dict[str, str]:
        """What stands for what in the templates."""
        return {
            "NAME": self.name,
            "PACKAGE": self.package,
            "DIST": self.package.replace("_", "-"),
            "ENV": self.name.upper(),
            "STREAM": subjects.stream_of(subjects.outbound_lane(self.name)),
        }


def named(kind: Kind, name: str, root: Path) -> Named:
    """The name, if it can be one here. Raises Problem with what is wrong with it."""
    if not _NAME.fullmatch(name):
        raise misused(
            f"{name[:60]!r} cannot be a {kind}'s name: use small letters, digits and single _, beginning with a "
            "letter, like sms."
        )
    if len(name) > _LONGEST[kind]:
        raise misused(f"A {kind}'s name has {_LONGEST[kind]} characters at most; this one has {len(name)}.")
    if kind == "service" and name.startswith(PREFIX):
        raise misused(f"{name} would be a channel: `deskstream new channel {name.removeprefix(PREFIX)}` makes it.")
    found = Named(kind, name)
    if why := _reserved(found, root):
        raise misused(f"{name} cannot be a {kind}'s name: {why}. Choose another.")
    if (root / found.folder).exists():
        raise misused(f"{found.folder} is there already. Choose another name, or change that one.")
    return found


def _reserved(found: Named, root: Path) -> str | None:
    """Why a well-formed name is somebody else's."""
    name, package = found.name, found.package
    if (root / "libs" / package).exists():
        return f"libs/{package} is a library"
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        return "it is a word of Python's"
    if name in _EMPTY.split():
        return "it means nothing"
    if found.kind == "service" and name in _CONTAINERS:
        return "a container of every desk is called so"
    if found.kind == "service" and (name in _SUBJECTS or subjects.owner_of(subjects.events_lane(name)) != name):
        return "subjects use it for something else"
    if package in _RESERVED_BY_SQL.split() or package.startswith("pg_"):
        return "PostgreSQL reserves it"
    return None

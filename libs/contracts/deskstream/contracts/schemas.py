"""The JSON Schemas (2020-12) that lie beside the code, for adapters, reviewers and other languages."""

import json
from os.path import dirname, relpath
from pathlib import Path
from typing import Final

from deskstream.contracts.definitions import (
    ACCEPTED,
    ANSWERED,
    ENVELOPE,
    INBOUND,
    OUTBOUND,
    Schema,
    definitions,
    enveloped,
    refer,
    references,
)
from deskstream.contracts.evolution import breaking_changes

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
FOLDER: Final = Path(__file__).parents[2] / "schemas"
"""Where they are checked in."""

_ASKED: Final = ("inbound", "commands/")
"""What others write and we read; all else others read."""


class BreakingChange(Exception):
    """A message lost or demands something, so that its readers or writers of the version before could not cope."""

    def __init__(self, changes: list[str]) -> None:
        super().__init__(
            "\n".join(changes)
            + "\nOnly additions are compatible: make a new message beside the old one. Where nobody has ever heard the "
            "old one, delete its checked-in schema first."
        )
        self.changes = changes


def schemas() -> dict[str, Schema]:
    """Name -> schema, as the code has them now; a name is the file's path without `.json`.

    What adapters publish and hear is complete in one file each; events and commands share the files of their values.
    """
    found = definitions()
    alone = {
        "inbound": {"title": "Inbound", "oneOf": [{"$ref": name} for name in INBOUND]},
        OUTBOUND: {**enveloped(found[ENVELOPE], OUTBOUND), "title": "Outbound"},
        ACCEPTED: {**enveloped(found[ENVELOPE], ACCEPTED), "title": "Accepted"},
        ENVELOPE: found[ENVELOPE],
        ANSWERED: found[ANSWERED],
    }
    made = {name: _linked(name, schema) for name, schema in found.items() if name not in INBOUND}
    made |= {name: _bundled(schema, found) for name, schema in alone.items()}
    return {name: {**made[name], "$schema": DIALECT} for name in sorted(made)}


def read(folder: Path = FOLDER) -> dict[str, Schema]:
    """Name -> schema, as they are checked in."""
    return {
        file.relative_to(folder).with_suffix("").as_posix(): json.loads(file.read_text("utf-8"))
        for file in sorted(folder.rglob("*.json"))
    }


def write(folder: Path = FOLDER) -> list[Path]:
    """Makes the folder say what the code says; returns the files that changed.

    Raises `BreakingChange` where something that lies there is not merely added to, and then writes nothing.
    """
    before, now = read(folder), schemas()
    if changes := broken(before, now):
        raise BreakingChange(changes)
    changed = {folder / f"{name}.json": schema for name, schema in now.items() if before.get(name) != schema}
    for file, schema in changed.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(shown(schema), "utf-8")
    return list(changed)


def broken(before: dict[str, Schema], now: dict[str, Schema]) -> list[str]:
    """What readers or writers of `before` could not cope with, one sentence each."""
    changes = [f"{name}: it is gone" for name in before if name not in now]
    for name in before:
        if name in now:
            found = breaking_changes(before[name], now[name], heard=not name.startswith(_ASKED))
            changes += [f"{name}: {change}" for change in found]
    return changes


def shown(schema: Schema) -> str:
    """A schema as it stands in its file."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _linked(name: str, schema: Schema) -> Schema:
    """References lead to the files beside it."""
    linked: Schema = refer(schema, lambda other: relpath(f"{other}.json", dirname(name) or "."))
    return linked


def _bundled(schema: Schema, found: dict[str, Schema]) -> Schema:
    """References lead to its own `$defs`."""
    wanted, parts = list(references(schema)), dict[str, Schema]()
    while wanted:
        name = wanted.pop()
        if name not in parts:
            parts[name] = found[name]
            wanted += references(found[name])
    bundle = {**schema, "$defs": {part["title"]: part for part in parts.values()}} if parts else schema
    bundled: Schema = refer(bundle, lambda name: f"#/$defs/{found[name]['title']}")
    return bundled

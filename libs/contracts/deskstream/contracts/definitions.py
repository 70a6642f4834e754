"""Every message, and every value that messages are made of, as named JSON Schema definitions."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from enum import Enum
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, Final, TypeAlias

from pydantic.json_schema import models_json_schema

import deskstream.contracts as package
from deskstream.contracts.catalogue import commands, events
from deskstream.contracts.health import ReadHealth
from deskstream.contracts.inbound import DeliveryReported, InboundMessage
from deskstream.contracts.journal import ReadHeads, ReadJournal
from deskstream.contracts.message import Answered, Command, Contract, Event, snake_case
from deskstream.contracts.outbound import MessageAccepted, OutboundMessage

Schema: TypeAlias = dict[str, Any]

ENVELOPE: Final = "envelope"
ANSWERED: Final = "answered"
OUTBOUND: Final = "outbound"
ACCEPTED: Final = MessageAccepted.NAME
EVERY_SERVICE_ANSWERS: Final[tuple[type[Command], ...]] = (ReadJournal, ReadHeads, ReadHealth)
INBOUND: Final = ("inbound/message", "inbound/delivery")

_UUID: Final = {"type": "string", "format": "uuid"}
_TEXT: Final = {"type": "string"}
_ENVELOPE: Final[Schema] = {
    "title": "CloudEvent",
    "description": "One event as it travels: CloudEvents 1.0, structured JSON. Extension attributes are text.",
    "type": "object",
    "properties": {
        "specversion": {"const": "1.0"},
        "id": _UUID,
        "source": {**_TEXT, "description": "The lane, with / for the dot."},
        "type": {**_TEXT, "description": "`deskstream.<lane's service>.<event>`: names the schema of `data`."},
        "subject": {**_TEXT, "description": "The key: the id of the object that the event is about."},
        "time": {**_TEXT, "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "sequence": {**_TEXT, "pattern": "^[0-9]{1,18}$", "description": "From 1, within (lane, key)."},
        "correlationid": {**_UUID, "description": "The same for everything that follows from one message."},
        "causationid": {**_UUID, "description": "The event or command that this follows from."},
        "actor": {**_TEXT, "description": "Who did it; absent where nobody did."},
        "traceparent": _TEXT,
        "data": {"type": "object"},
    },
    "required": [
        "specversion", "id", "source", "type", "subject", "time", "sequence", "correlationid", "causationid", "data",
    ],
}  # fmt: skip

# No title but the message's own: pydantic makes one of every property's name.
_NOISE: Final = "title"


def event_name(kind: type[Event]) -> str:
    """`events/crm/sender_identified`; `events/<name>` for what every service may say, `outbound` for what leaves.

    What else adapters hear on the outbound lanes has its own name.
    """
    if kind.LANE == OUTBOUND:
        return OUTBOUND if kind is OutboundMessage else kind.NAME
    return f"{kind.LANE or 'events'}.{kind.NAME}".replace(".", "/")


@cache
def messages() -> dict[str, type[Contract]]:
    """Name -> class of everything that travels, the envelope excepted."""
    return {
        ANSWERED: Answered,
        INBOUND[0]: InboundMessage,
        INBOUND[1]: DeliveryReported,
        **{f"commands/{kind.NAME}": kind for kind in EVERY_SERVICE_ANSWERS},
        **{event_name(kind): kind for kind in events().values()},
        **{kind.command_subject().replace(".", "/"): kind for kind in commands().values()},
    }


def definitions() -> dict[str, Schema]:
    """Name -> schema of every message and value; a `$ref` is another name of this table.

    A value's name is `values/<module>/<class>`.
    """
    kinds = messages()
    named, document = models_json_schema([(kind, "validation") for kind in kinds.values()], ref_template="{model}")
    names = {named[kind, "validation"]["$ref"]: name for name, kind in kinds.items()}
    classes = {names[named[kind, "validation"]["$ref"]]: kind for kind in kinds.values()}
    found: dict[str, Schema] = document["$defs"]
    for kind in _values():
        own = f"{kind.__module__}.{kind.__qualname__}".replace(".", "__")
        own = own if own in found else kind.__name__
        if own in found and own not in names:
            names[own] = f"values/{kind.__module__.rpartition('.')[2]}/{snake_case(kind.__name__)}"
            classes[names[own]] = kind
    made = {name: _told(_tidy(found[own], names), classes[name]) for own, name in names.items()}
    return dict(sorted({**made, ENVELOPE: _ENVELOPE}.items()))


def refer(schema: Any, place: Callable[[str], str]) -> Any:
    """The schema with every `$ref` replaced by what `place(name)` says."""
    if isinstance(schema, list):
        return [refer(part, place) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {word: place(part) if word == "$ref" else refer(part, place) for word, part in schema.items()}


def references(schema: Any) -> Iterator[str]:
    """Every `$ref` in it."""
    if isinstance(schema, list):
        for part in schema:
            yield from references(part)
    elif isinstance(schema, dict):
        for word, part in schema.items():
            yield from [part] if word == "$ref" else references(part)


def enveloped(envelope: Schema, data: str) -> Schema:
    """The schema of a CloudEvent whose event is the one that `data` refers to."""
    return {**envelope, "properties": {**envelope["properties"], "data": {"$ref": data}}}


def _values() -> list[type[Any]]:
    return [
        kind
        for module in _modules()
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, (Contract, Enum)) and kind.__module__ == module.__name__
    ]


def _modules() -> list[ModuleType]:
    return [import_module(found.name) for found in iter_modules(package.__path__, f"{package.__name__}.")]


def _tidy(schema: Any, names: dict[str, str]) -> Any:
    """Says the same in fewer lines: no titles of properties, no `default: null`, `null` as one more type."""
    if isinstance(schema, list):
        return [_tidy(part, names) for part in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {word: _tidy(part, names) for word, part in schema.items() if word != "$ref"}
    if "$ref" in schema:
        tidied["$ref"] = names[schema["$ref"]]
    for inner in tidied.get("properties", {}).values():
        inner.pop(_NOISE, None)
    if tidied.get("default", "") is None:
        del tidied["default"]
    return _or_null(tidied)


def _or_null(schema: Schema) -> Schema:
    match schema.get("anyOf"):
        case [{"type": str(kind)} as one, {"type": "null"}] if not {"enum", "const"} & one.keys():
            rest = {word: part for word, part in schema.items() if word != "anyOf"}
            return {**one, **rest, "type": [kind, "null"]}
    return schema


def _told(schema: Schema, kind: type[Any]) -> Schema:
    """The schema with what the code says about each field, class and value."""
    for name, sentence in _sentences(kind).items():
        if name in schema.get("properties", {}):
            schema["properties"][name].setdefault("description", sentence)
    return schema


def _sentences(kind: type[Any]) -> dict[str, str]:
    """Field -> the text that stands under it, also of the classes it comes from."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        if one.__module__.startswith(package.__name__) and "[" not in one.__name__:
            found |= _sentences_of(one)
    return found


@cache
def _sentences_of(kind: type[Any]) -> dict[str, str]:
    (body,) = (node for node in ast.parse(inspect.getsource(kind)).body if isinstance(node, ast.ClassDef))
    found = {}
    for line, after in zip(body.body, body.body[1:], strict=False):
        match line, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = re.sub(r"\s+", " ", text).strip()
    return found

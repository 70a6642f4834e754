"""What may change in a message, and what may not."""

import copy
from typing import Any

import pytest

from deskstream.contracts.evolution import breaking_changes

REPLY: dict[str, Any] = {
    "type": "object",
    "title": "Reply",
    "properties": {
        "text": {"type": "string", "maxLength": 100},
        "number": {"type": "integer", "minimum": 1},
        "note": {"type": ["string", "null"]},
        "by": {"enum": ["agent", "flow"], "type": "string", "default": "agent"},
        "author": {"$ref": "#/$defs/Author"},
        "copied": {"type": "array", "items": {"$ref": "#/$defs/Author"}},
        "owner": {"anyOf": [{"$ref": "#/$defs/Author"}, {"type": "null"}]},
    },
    "required": ["text", "author"],
    "$defs": {
        "Author": {
            "type": "object",
            "title": "Author",
            "properties": {"name": {"type": "string"}, "manager": {"$ref": "#/$defs/Author"}},
            "required": ["name"],
        }
    },
}


def with_(path, value):
    """The schema with one place set; `...` takes it out."""
    schema = copy.deepcopy(REPLY)
    *way, last = path.split("/")
    place = schema
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return schema


AUTHOR = "$defs/Author"


@pytest.mark.parametrize(
    ("new", "changes"),
    [
        pytest.param(REPLY, [], id="the same"),
        pytest.param(with_("properties/colour", {"type": "string"}), [], id="P18: one more property is an addition"),
        pytest.param(with_("properties/text/maxLength", 200), [], id="a wider limit is an addition"),
        pytest.param(with_("properties/text/maxLength", ...), [], id="no limit is an addition"),
        pytest.param(with_("properties/by/enum", ["agent", "flow", "bot"]), [], id="one more value is an addition"),
        pytest.param(with_("properties/text/description", "What it says."), [], id="words change nothing"),
        pytest.param(with_("title", "Answer"), [], id="the title changes nothing"),
        pytest.param(with_("properties/note", ...), ["note is gone"], id="P18: a property is gone"),
        pytest.param(
            {**REPLY, "properties": {("remark" if k == "note" else k): v for k, v in REPLY["properties"].items()}},
            ["note is gone"],
            id="P18: renamed is gone",
        ),
        pytest.param(
            with_(f"{AUTHOR}/properties/name", ...), ["author.name is gone"], id="a property of a part is gone"
        ),
        pytest.param(
            with_("required", ["text", "author", "number"]), ["number is newly required"], id="P18: newly required"
        ),
        pytest.param(
            with_(f"{AUTHOR}/required", ["name", "manager"]),
            ["author.manager is newly required"],
            id="newly required in a part, told once",
        ),
        pytest.param(with_("required", ["text"]), ["author may now be left out"], id="no longer always said"),
        pytest.param(
            with_("properties/number", {"type": "string"}), ["number is no integer any more"], id="another type"
        ),
        pytest.param(
            with_("properties/note", {"type": "string"}), ["note is no null any more"], id="a type less is taken"
        ),
        pytest.param(
            with_("properties/number", {"type": ["integer", "null"], "minimum": 1}),
            ["number may now be null"],
            id="a type more is said",
        ),
        pytest.param(
            with_("properties/owner", {"$ref": "#/$defs/Author"}), ["owner is no null any more"], id="never null again"
        ),
        pytest.param(
            with_("properties/text/maxLength", 50), ["text: maxLength is 50, was 100"], id="a tighter upper limit"
        ),
        pytest.param(
            with_("properties/number/minimum", 2), ["number: minimum is 2, was 1"], id="a tighter lower limit"
        ),
        pytest.param(
            with_("properties/note/maxLength", 9), ["note: maxLength is 9, was none"], id="a limit where there was none"
        ),
        pytest.param(
            with_("properties/text/pattern", "^a"), ["text: pattern is ^a, was free"], id="a pattern where was none"
        ),
        pytest.param(with_("properties/by/enum", ["agent"]), ["by takes flow no more"], id="a value less"),
        pytest.param(
            with_("properties/note/enum", ["a", "b"]), ["note takes only a, b"], id="only some values where all were"
        ),
        pytest.param(
            with_("properties/by/default", "flow"),
            ["by left out means 'flow', meant 'agent'"],
            id="kept journals would change their meaning",
        ),
        pytest.param(
            with_("properties/copied/items", {"type": "string"}),
            ["copied[] is no #/$defs/Author any more"],
            id="items of another type",
        ),
    ],
)
def test_a_change_of_what_others_hear(new, changes):
    assert breaking_changes(REPLY, new) == changes


@pytest.mark.parametrize(
    ("new", "changes"),
    [
        pytest.param(with_("required", ["text"]), [], id="what is asked for may be left out from now on"),
        pytest.param(
            with_("properties/number", {"type": ["integer", "null"], "minimum": 1}), [], id="null is taken, too"
        ),
        pytest.param(with_("properties/note", ...), ["note is gone"], id="what callers say must still be read"),
        pytest.param(
            with_("required", ["text", "author", "note"]), ["note is newly required"], id="callers do not say it"
        ),
    ],
)
def test_a_change_of_what_others_ask(new, changes):
    assert breaking_changes(REPLY, new, heard=False) == changes


def test_choices_are_compared_by_what_they_name():
    old = {"oneOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}], "$defs": {"A": {}, "B": {}}}
    new = {"oneOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {}}}
    assert breaking_changes(old, new) == ["the message is no #/$defs/B any more"]

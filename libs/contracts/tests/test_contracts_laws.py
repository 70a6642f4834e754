"""Laws that hold for every message there is, on messages made from their own schemas."""

import json
from datetime import UTC, datetime
from functools import cache
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deskstream.contracts.catalogue import commands, events
from deskstream.contracts.definitions import definitions, event_name
from deskstream.contracts.envelope import Stamp, decode, encode, event_type
from deskstream.contracts.inbound import DeliveryReported, InboundMessage, read_inbound

FEW = settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
STAMPS = st.builds(
    Stamp,
    id=st.uuids(),
    sequence=st.integers(1, 2**62),
    correlation=st.uuids(),
    causation=st.uuids(),
    actor=st.none() | TEXT,
    at=st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)),
    traceparent=st.none() | TEXT,
)
EVENTS = [pytest.param(kind, id=kind.NAME) for kind in events().values()]
COMMANDS = [pytest.param(kind, id=kind.NAME) for kind in commands().values()]
STAMP = Stamp(UUID(int=1), 1, UUID(int=2), UUID(int=3), "anna", datetime(2026, 5, 4, tzinfo=UTC))


@cache
def fitting(name):
    """Whatever fits the definition of this name."""
    return st.deferred(lambda: values(definitions_now()[name]))


@cache
def definitions_now():
    return definitions()


def values(schema):
    match schema:
        case {"$ref": name}:
            return fitting(name)
        case {"const": value}:
            return st.just(value)
        case {"enum": [*choices]}:
            return st.sampled_from(choices)
        case {"properties": _}:
            return objects(schema)
        case {"anyOf": [*choices]}:
            return st.one_of(*map(values, choices))
        case {"type": [*kinds]}:
            return st.one_of(*(values({**schema, "type": kind}) for kind in kinds))
        case {"type": "null"}:
            return st.none()
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "integer"}:
            return st.integers(schema.get("minimum", -(2**31)), schema.get("maximum", 2**53))
        case {"type": "number"}:
            return st.floats(allow_nan=False, allow_infinity=False)
        case {"type": "array"}:
            return st.lists(values(schema["items"]), min_size=schema.get("minItems", 0), max_size=2)
        case {"type": "object"}:
            return st.dictionaries(TEXT, values(schema.get("additionalProperties", {"type": "null"})), max_size=2)
        case {"type": "string"}:
            return texts(schema)
        case _:
            raise AssertionError(f"no messages can be made of {schema}")


def texts(schema):
    match schema:
        case {"format": "uuid"}:
            return st.uuids().map(str)
        case {"format": "date-time"}:
            return st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
        case {"format": "duration"}:
            return st.integers(0, 10**6).map("PT{}S".format)
        case {"pattern": pattern}:
            fits = st.from_regex(pattern.replace("$", r"\Z"), alphabet=st.characters(codec="utf-8"))
            longest = schema.get("maxLength", 10**9)
            return fits.filter(lambda text: schema.get("minLength", 0) <= len(text) <= longest)
        case _:
            shortest = schema.get("minLength", 0)
            return st.text(st.characters(codec="utf-8"), min_size=shortest, max_size=shortest + 8)


def objects(schema):
    ways = [insisting(schema, way) for way in schema.get("anyOf", ())] or [schema]
    return st.one_of(*map(one_object, ways))


def insisting(schema, way):
    """The schema with what one of its alternatives demands besides."""
    told = {name: {**schema["properties"][name], **more} for name, more in way["properties"].items()}
    required = [*schema.get("required", ()), *way["required"]]
    return {**schema, "properties": {**schema["properties"], **told}, "required": required}


def one_object(schema):
    made = {name: values(part) for name, part in schema["properties"].items()}
    required = {name: made.pop(name) for name in dict.fromkeys(schema.get("required", ()))}
    return st.fixed_dictionaries(required, optional=made)


def newer(value, schema):
    """The same, said by the next version: every object has one more field."""
    match schema, value:
        case {"$ref": name}, _:
            return newer(value, definitions_now()[name])
        case {"properties": parts}, dict():
            return {**{name: newer(part, parts[name]) for name, part in value.items()}, "added in N+1": {"x": [1]}}
        case {"anyOf": [one, {"type": "null"}]}, dict():
            return newer(value, one)
        case {"items": part}, list():
            return [newer(one, part) for one in value]
        case _:
            return value


@pytest.mark.parametrize("kind", EVENTS)
def test_whatever_fits_the_schema_is_read_and_survives_the_wire(kind):
    @FEW
    @given(fitting(event_name(kind)), STAMPS)
    def law(fields, stamp):
        event = kind.model_validate_json(json.dumps(fields))
        read = decode(kind, encode(event, stamp))
        assert read.data == event
        assert (read.id, read.sequence, read.correlationid, read.causationid) == (
            stamp.id, stamp.sequence, stamp.correlation, stamp.causation
        )  # fmt: skip
        assert (read.time, read.actor, read.traceparent) == (stamp.at, stamp.actor, stamp.traceparent)
        assert (read.type, read.subject) == (event_type(kind), event.key())

    law()


@pytest.mark.parametrize("kind", EVENTS)
def test_p18_a_reader_of_n_copes_with_the_fields_of_n_plus_1(kind):
    @FEW
    @given(fitting(event_name(kind)))
    def law(fields):
        event = kind.model_validate_json(json.dumps(fields))
        said = json.loads(encode(event, STAMP))
        body = json.dumps({**said, "added": 1, "data": newer(said["data"], {"$ref": event_name(kind)})})
        assert decode(kind, body).data == event

    law()


@pytest.mark.parametrize("kind", EVENTS)
def test_p18_a_reader_of_n_copes_without_the_fields_that_n_minus_1_did_not_know(kind):
    @FEW
    @given(fitting(event_name(kind)))
    def law(fields):
        required = {name: fields[name] for name in definitions_now()[event_name(kind)]["required"]}
        event = kind.model_validate_json(json.dumps(required))
        assert decode(kind, encode(event, STAMP)).data == event

    law()


@pytest.mark.parametrize("kind", COMMANDS)
def test_whatever_fits_a_command_s_schema_is_asked_as_it_was_meant(kind):
    @FEW
    @given(fitting(kind.command_subject().replace(".", "/")))
    def law(fields):
        asked = kind.model_validate_json(json.dumps(fields))
        assert kind.model_validate_json(asked.model_dump_json(exclude_defaults=True)) == asked

    law()


@pytest.mark.parametrize(
    ("name", "kind"), [("inbound/message", InboundMessage), ("inbound/delivery", DeliveryReported)]
)
def test_n1_whatever_fits_the_adapters_schema_is_read(name, kind):
    @FEW
    @given(fitting(name))
    def law(fields):
        said = read_inbound(json.dumps(fields))
        assert type(said) is kind
        assert read_inbound(encode(said, STAMP)) == said

    law()

"""Who says what, who hears whom: the declarations, the wirings, the topology, and what the READMEs say of it."""

import re
from collections.abc import Iterator
from importlib.metadata import entry_points

import pytest

from deskstream.contracts import subjects
from deskstream.contracts.asyncapi import ServiceDescription, document
from deskstream.contracts.catalogue import commands, events
from deskstream.contracts.definitions import references
from deskstream.messaging import Declaration
from deskstream.messaging.topology import stream_of, topology
from deskstream.messaging.wiring import Wiring, wiring_of
from tests.architecture.repository import ROOT, imports, modules, sections, services, text_of, texts

ARROWS = {
    "ingest": {"adapters"},
    "crm": {"ingest"},
    "conversation": {"crm", "routing", "ingest", "conversation", "ticketing"},
    "ticketing": {"conversation", "ticketing"},
    "routing": {"conversation", "ticketing"},
    "sla": {"conversation"},
    "gateway": {"conversation", "routing", "sla", "ticketing"},
}
"""Service -> whom it hears. An arrow costs every message that travels it: one more needs an ADR with its cost.

A channel hears `outbound.<channel>` and says `inbound.<channel>`. A service that stands in no row and that none of
these hears lengthens nobody's way: it needs no row.
"""

CONFIDENTIAL = subjects.events_lane("issues")
FOR_THE_DEV_ORG = {"gateway"}
"""Who may hear of issues, confidential ones too (W12); everybody else writes what customers read."""

LITERALS = {
    "libs/contracts/": "the one place that spells subjects",
    "libs/testkit/deskstream/testkit/sample/": "messages of services that only tests know",
}
"""Beginning of the path -> why it may spell a subject."""

SUBJECT = re.compile(r"^(events|inbound|outbound|commands)\.")
# A lane as READMEs write it: `events.crm`, `inbound.>`, `outbound.email`.
LANE = re.compile(r"`((?:events|outbound)\.[a-z_]+|inbound(?:\.[a-z_]+)?)[^`]*`")
SECRET = "long enough for any secret, and none"
NAME = re.compile(r"`([a-z_]+)`")


def declared() -> list[Declaration]:
    return [entry.load() for entry in sorted(entry_points(group="deskstream.services"), key=lambda entry: entry.name)]


def wired(declaration: Declaration, monkeypatch) -> Wiring:
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET", SECRET)
    for name, field in declaration.settings.model_fields.items():
        if field.is_required():
            prefix = declaration.settings.model_config.get("env_prefix", "")
            monkeypatch.setenv(f"{prefix}{field.alias or name}".upper(), SECRET)
    built = declaration.build(declaration.settings())
    return wiring_of(declaration, tuple(built.hears), tuple(built.answers))


@pytest.fixture(params=services())
def service(request):
    (entry,) = entry_points(group="deskstream.services", name=request.param)
    return entry.load()


def heard(declaration: Declaration) -> set[str]:
    return {"adapters" if lane == subjects.INBOUND else subjects.owner_of(lane) for lane in declaration.hears}


def test_every_service_is_installed():
    assert {declaration.name for declaration in declared()} == set(services())


def test_what_is_wired_is_what_is_declared(service, monkeypatch):
    assert wired(service, monkeypatch).lanes() == set(service.hears)


def test_every_command_is_answered_by_the_service_that_owns_it(service, monkeypatch):
    owned = {kind for kind in commands().values() if service.name == kind.SERVICE}
    assert set(wired(service, monkeypatch).commands.values()) == owned


def test_every_service_hears_whom_it_may():
    wrong = {
        declaration.name: heard(declaration)
        for declaration in declared()
        if declaration.name in ARROWS and heard(declaration) != ARROWS[declaration.name]
    }
    assert not wrong


def test_nobody_who_faces_customers_hears_what_issues_say():
    hearers = {declaration.name for declaration in declared() if CONFIDENTIAL in declaration.hears}
    assert hearers <= FOR_THE_DEV_ORG


def test_nobody_on_the_way_hears_a_service_without_a_row():
    known = ARROWS.keys() | {"adapters"}
    assert set().union(*ARROWS.values()) <= known
    assert ARROWS.keys() <= set(services())


def test_a_channel_hears_what_leaves_by_it_and_says_what_arrives():
    for declaration in declared():
        channel = declaration.name.removeprefix("channel_")
        if channel != declaration.name:
            assert declaration.says == (f"{subjects.INBOUND}.{channel}",)
            assert declaration.hears[0] == subjects.outbound_lane(channel)
            assert {subjects.owner_of(lane) for lane in declaration.hears[1:]} <= {"ingest"}


def test_the_topology_of_all_services_is_valid():
    made = topology(declared())
    assert {durable.stream for durable in made.durables} <= {stream.name for stream in made.streams}


def test_one_durable_is_one_reader_of_one_writer():
    durables = topology(declared()).durables
    assert len(durables) == len({(durable.stream, durable.reader) for durable in durables})
    for declaration in declared():
        assert len({stream_of(lane) for lane in declaration.hears}) == len(declaration.hears)


def test_a_service_says_its_own_lanes(service):
    for lane in service.says:
        if not lane.startswith(f"{subjects.INBOUND}."):
            assert subjects.owner_of(lane) == service.name


def test_every_event_of_the_language_is_somebody_s():
    said = {lane for declaration in declared() for lane in declaration.says}
    unsaid = [kind.__name__ for kind in events().values() if "." in kind.LANE and kind.LANE not in said]
    assert not unsaid


def test_a_service_declares_whom_it_calls(service):
    foreign = {kind.__name__: kind for kind in commands().values() if service.name != kind.SERVICE}
    named = {
        foreign[found.name]
        for module in modules()
        if module.place == f"services/{service.name}"
        for found in imports(module)
        if found.module.startswith("deskstream.contracts") and found.name in foreign
    }
    assert named <= set(service.calls)
    assert set(service.calls) <= set(foreign.values())


def test_a_beginning_is_said_of_lanes_that_are_heard(service):
    assert service.since.keys() <= set(service.hears)
    assert set(service.since.values()) <= {"now", "beginning"}


def test_subjects_are_spelled_in_contracts_only():
    wrong = [
        f"{module}:{line} {text!r}"
        for module in modules()
        if not str(module).startswith(tuple(LITERALS))
        for line, text in texts(module.path)
        if SUBJECT.match(text)
    ]
    assert not wrong


def test_the_readme_says_what_is_declared(service):
    told = sections(text_of(ROOT / "services" / service.name / "README.md"))
    assert {"owns", "hears", "says", "keeps"} <= told.keys()
    assert lanes(told["hears"]) == set(service.hears)
    assert lanes(told["says"]) == set(service.says)


def test_the_readme_names_exactly_the_events_of_its_lanes(service):
    told = sections(text_of(ROOT / "services" / service.name / "README.md"))
    named = {kind.NAME: kind.LANE for kind in events().values()}
    said = {name for name in NAME.findall(told["says"]) if name in named}
    own = {name for name, lane in named.items() if travels(lane, service.says)}
    assert said == own


def test_the_readme_names_no_event_that_it_cannot_hear(service):
    told = sections(text_of(ROOT / "services" / service.name / "README.md"))
    named = {kind.NAME: kind.LANE for kind in events().values()}
    wrong = [name for name in NAME.findall(told["hears"]) if name in named and not travels(named[name], service.hears)]
    assert not wrong


def test_the_readme_names_every_command_that_it_answers(service):
    answered = {kind.NAME for kind in commands().values() if service.name == kind.SERVICE}
    missing = answered - set(NAME.findall(text_of(ROOT / "services" / service.name / "README.md")))
    assert not missing


def travels(lane: str, some: tuple[str, ...]) -> bool:
    """Whether events of a class's lane travel on one of these; `outbound` is all of its channels."""
    return bool(lane) and any(one == lane or one.startswith(f"{lane}.") for one in some)


def lanes(told: str) -> set[str]:
    return set(LANE.findall(told))


def test_the_asyncapi_document_of_all_services_is_whole():
    api = document(list(described()))
    assert {name.split(".")[0] for name in api["operations"]} == set(services())
    for reference in references(api):
        place = api
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def described() -> Iterator[ServiceDescription]:
    for declaration in declared():
        yield ServiceDescription(declaration.name, declaration.hears, declaration.says, declaration.calls)

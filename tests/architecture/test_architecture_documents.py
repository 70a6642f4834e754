"""The documents: what they point to exists, what they call something is called so, and they keep their form."""

import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from deskstream.runtime.settings import RuntimeSettings
from tests.architecture.repository import ROOT, files, text_of
from tests.architecture.test_architecture_arrows import ARROWS

DOCUMENTS = [path for path in files() if path.suffix == ".md"]
RECORDS = sorted((ROOT / "docs/adr").glob("*.md"))
HOW_TO = sorted((ROOT / "docs/how-to").glob("*.md"))

ALLOWED_LINES = {"docs/adr/": 60, "docs/how-to/": 80, "README.md": 120, "ARCHITECTURE.md": 220, "CONTRIBUTING.md": 120}

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
PLACE = re.compile(r"`((?:libs|services|tests|docs|deploy)/[\w./-]*\w)`")
COMMAND = re.compile(r"`?\bdeskstream ([a-z][a-z-]+)")
TARGET = re.compile(r"^`?make ([a-z-]+(?: [a-z-]+)*)")
SENTENCE_AND_MORE = re.compile(r"[a-z)`][.!?] [A-Z][a-z]+ ")

# What code calls by these names, people shall find explained.
CONTRACT_NAMES = {
    "contracts.facts.ConversationFacts": "conversation",
    "contracts.facts.ContactFacts": "contact",
    "contracts.facts.AccountFacts": "account",
    "contracts.facts.WorkspaceFacts": "workspace",
    "contracts.facts.Participant": "participant",
    "contracts.facts.Stage": "stage",
    "contracts.facts.Wait": "wait",
    "contracts.facts.Note": "note",
    "contracts.facts.Reply": "reply",
    "contracts.facts.Priority": "priority",
    "contracts.facts.Resolution": "resolution",
    "contracts.facts.SnoozeFacts": "snooze",
    "contracts.inbound.Identity": "identity",
    "contracts.inbound.DeliveryState": "delivery",
    "contracts.routing.OwnerChosen": "owner",
    "contracts.routing.HandOver": "handoff",
    "contracts.routing.DecisionRecord": "decision record",
    "contracts.routing.Availability": "availability",
    "contracts.sla.ClockFacts": "clock",
    "contracts.sla.Metric": "metric",
    "contracts.sla.Outcome": "outcome",
    "contracts.envelope.CloudEvent": "envelope",
    "messaging.declare.Aggregate": "aggregate",
    "messaging.declare.Declaration": "declaration",
    "messaging.dead_letters.DeadLetter": "dead letter",
    "messaging.topology.Durable": "durable",
    "messaging.topology.Stream": "stream",
}
WORDS = {
    "hold", "lane", "journal", "progress", "head", "gap", "calendar", "policy", "follow-up", "thread", "key",
    "sequence", "timer", "batch", "runner", "projection", "refusal", "room", "service", "channel", "inbox", "queue",
    "unpublished",
}  # fmt: skip


def document(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def glossary() -> dict[str, tuple[str, str]]:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| `([^`]+)` \|$", text_of(ROOT / "docs/glossary.md"), re.MULTILINE)
    return {word: (sentence, place) for word, sentence, place in rows}


@pytest.mark.parametrize("path", DOCUMENTS, ids=document)
def test_what_a_document_points_to_exists(path):
    text = text_of(path)
    linked = [target for target in LINK.findall(text) if "://" not in target]
    assert not [target for target in linked if not (path.parent / target).exists()]
    assert not [place for place in PLACE.findall(text) if not (ROOT / place).exists() and "…" not in place]


@pytest.mark.parametrize("path", DOCUMENTS, ids=document)
def test_every_command_of_a_document_can_be_given(path):
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    made = {target for line in code_of(path) for names in TARGET.findall(line) for target in names.split()}
    assert not made - targets
    commands = import_module("deskstream.cli.registry").COMMANDS
    named = {name for line in code_of(path) for name in COMMAND.findall(line)}
    assert not named - commands.keys()


def code_of(path: Path) -> list[str]:
    """What stands as code: between backticks, and lines of blocks for a shell."""
    text = text_of(path)
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return [*(line for block in blocks for line in block.splitlines()), *re.findall(r"`[^`\n]+`", prose)]


@pytest.mark.parametrize("path", [*RECORDS, *HOW_TO, *(ROOT / name for name in ALLOWED_LINES if name.endswith(".md"))],
                         ids=document)  # fmt: skip
def test_a_document_keeps_its_form(path):
    (limit,) = [lines for start, lines in ALLOWED_LINES.items() if document(path).startswith(start)]
    lines = text_of(path).splitlines()
    assert len(lines) <= limit
    prose = [line for line in lines if not line.startswith(("|", " ", "#", "-", "*", "1"))]
    assert not [line for line in prose if SENTENCE_AND_MORE.search(line)], "one sentence a line"


@pytest.mark.parametrize("path", RECORDS, ids=document)
def test_a_decision_record_says_what_was_decided_and_what_enforces_it(path):
    text = text_of(path)
    number = path.name[:4]
    assert text.startswith(f"# {int(number)}. ")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences", "Alternatives", "Enforced by"]
    assert len(re.findall(r"^> ", text, re.MULTILINE)) == 2


def test_decision_records_are_numbered_without_gaps():
    assert [path.name[:4] for path in RECORDS] == [f"{number:04}" for number in range(1, len(RECORDS) + 1)]


def test_how_to_pages_are_checklists():
    assert not [document(path) for path in HOW_TO if text_of(path).count("- [ ] ") < 5]


def test_the_glossary_has_the_words_of_the_contracts():
    missing = {word for name, word in CONTRACT_NAMES.items() if glossary().get(word, ("", ""))[1] != name}
    assert not missing
    assert not WORDS - glossary().keys()


def test_every_word_of_the_glossary_lives_where_it_says():
    wrong = {word: place for word, (_, place) in glossary().items() if not is_there(place)}
    assert not wrong


def is_there(place: str) -> bool:
    if "/" in place:
        return (ROOT / place).is_file()
    found: ModuleType | object = import_module("deskstream")
    name = "deskstream"
    for step in place.split("."):
        name = f"{name}.{step}"
        try:
            found = import_module(name)
        except ModuleNotFoundError:
            if not hasattr(found, step):
                return False
            found = getattr(found, step)
    return True


def test_the_glossary_says_one_sentence_a_word_in_order():
    for word, (sentence, _) in glossary().items():
        assert sentence[0].isupper(), word
        assert sentence.endswith("."), word
    tables = re.split(r"^## ", text_of(ROOT / "docs/glossary.md"), flags=re.MULTILINE)[1:]
    for table in tables:
        words = re.findall(r"^\| ([^|]+) \| [^|]+ \| `", table, re.MULTILINE)
        assert words == sorted(words)


def test_the_map_names_every_library_and_every_service_on_the_way():
    text = text_of(ROOT / "ARCHITECTURE.md")
    assert not [path.name for path in ROOT.glob("libs/*") if path.is_dir() and f"libs/{path.name}" not in text]
    # A channel, or a service that only listens, touches its own folder and no map.
    assert not [name for name in ARROWS if name not in text]


def test_the_settings_of_every_process_stand_in_the_readme_with_their_defaults():
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\S+) \| \S", text_of(ROOT / "libs/runtime/README.md"), re.MULTILINE)
    settings = RuntimeSettings.model_fields.items()
    said = {name.upper(): f"`{field.default}`" if field.default else "–" for name, field in settings}
    assert dict(rows) == said | {"HEALTH_PORT": "`0`"}

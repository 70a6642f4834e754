"""The page that lists what is broken on purpose says what there is, and every promise is named by a test."""

import re
from pathlib import Path

import pytest

from deskstream.cli.faults.breaking import KINDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/break-on-purpose.md").read_text()
PROMISES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 17, 18, 20)
"""Of the message path."""
TESTS = [path for folder in ("libs", "services", "tests") for path in sorted((ROOT / folder).rglob("test_*.py"))]


def test_the_page_lists_every_kind_of_fault():
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(KINDS)


def test_every_test_that_the_page_names_is_there():
    named = re.findall(r"\| `(\S+/test_\w+\.py)` \|", PAGE)
    assert named
    assert [path for path in named if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_of_the_message_path_is_named_by_its_test(promise):
    name = re.compile(rf"def test_(?:\w+_)?p{promise}_")
    assert any(name.search(path.read_text()) for path in TESTS)

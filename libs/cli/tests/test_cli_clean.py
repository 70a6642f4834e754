import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskstream.cli.clean import one_line, paragraphs, safe_json

OBEYED = set(map(chr, [*range(32), *range(0x7F, 0xA0)])) | set("\u061c\u200e\u200f\u202e\u2066\u2069\ufeff\u2028")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a\nb\r\n\tc", "a b c", id="several lines become one"),
        pytest.param("\x1b[31mred\x1b[0m", "[31mred[0m", id="P16: no escape sequence reaches a terminal"),
        pytest.param("\x1b]0;owned\x07title", "]0;ownedtitle", id="nor one that sets the title"),
        pytest.param("a\x9b31mb", "a31mb", id="nor one of eight bits"),
        pytest.param("invoice\u202egpj.exe", "invoicegpj.exe", id="nothing is written backwards"),
        pytest.param("zero\u200bwidth", "zerowidth", id="nothing is hidden between letters"),
        pytest.param("half \ud83d pair", "half pair", id="what cannot be printed is left out"),
        pytest.param("  around  ", "around", id="no space around"),
        pytest.param("登录 🙂 é", "登录 🙂 é", id="other scripts stay"),
    ],
)
def test_one_line(text, shown):
    assert one_line(text) == shown


@pytest.mark.parametrize(
    ("limit", "shown"),
    [
        pytest.param(10, "0123456789", id="what fits stays"),
        pytest.param(9, "01234567…", id="what does not is cut, with an ellipsis"),
        pytest.param(0, "…", id="even to nothing"),
    ],
)
def test_cutting(limit, shown):
    assert one_line("0123456789", limit) == shown


@given(st.text())
def test_law_nothing_that_a_terminal_obeys_is_left(text):
    assert not OBEYED & set(one_line(text))
    assert not (OBEYED - {"\n"}) & set(paragraphs(text))


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_law_json_stays_the_same_value(value):
    for document in (json.dumps(value, ensure_ascii=False), json.dumps(value, ensure_ascii=False, indent=2)):
        safe = safe_json(document)
        assert json.loads(safe) == value
        assert not (OBEYED - set("\n\t\r")) & set(safe)


def test_a_text_of_many_megabytes_is_not_read_to_its_end():
    assert len(one_line("a" * 50_000_000)) == 20_000

"""W12: how a text names an issue, in whatever writing, and what only looks like it."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskstream.contracts.confidential import ConfidentialityChanged, link_name, names_in, names_of

ID = UUID("7b0c8a52-3f7e-4c39-9a51-0d6f6c1a2b3e")
LINK = "https://www.canary.example/reports/31"
SECRET = frozenset(
    names_of(
        ConfidentialityChanged(
            issue_id=ID, at="2026-05-04T12:00:00Z", number=31, confidential=True, links=(link_name(LINK),)
        )
    )
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("See ISS-31.", id="as we write it"),
        pytest.param("see iss-31", id="in small letters"),
        pytest.param("Iss 31, that is", id="with a blank"),
        pytest.param("ISS31", id="with nothing between"),
        pytest.param("iss_0031", id="with zeros"),
        pytest.param("ISS\u201131 and ISS\u201332", id="with a typographer's dash"),
        pytest.param("ISS-\u200b31", id="with a blank that nobody sees"),
        pytest.param("ＩＳＳ－３１", id="in wide letters"),
        pytest.param("ISS-**31**", id="in Markdown"),
        pytest.param("ISS-<b>31</b>", id="in HTML, across tags"),
        pytest.param('<a href="/x" title="ISS&#45;31">here</a>', id="in an attribute of HTML"),
        pytest.param("https://desk.example/api/issues/ISS-31/chain", id="in a path of ours"),
        pytest.param("https://desk.example/?q=ISS%2D31", id="encoded in a link"),
        pytest.param("https://r.example/?to=https%253A%252F%252Fdesk.example%252FISS-31", id="encoded twice"),
        pytest.param(f"https://desk.example/api/issues/{ID}", id="by its id"),
        pytest.param(str(ID).upper().replace("-", ""), id="by its id without dashes"),
        pytest.param(f"Read {LINK}.", id="by its link"),
        pytest.param("canary.example/reports/31", id="by its link without a scheme"),
        pytest.param(f"[here]({LINK.upper()}/#c4)", id="by its link, and further"),
        pytest.param(f"{LINK}?utm_source=mail", id="by its link with a query"),
        pytest.param(f"<a href='{LINK}/'>here</a>", id="by its link in HTML"),
        pytest.param("https://r.example/?to=" + LINK, id="by its link within another one"),
        pytest.param("https://r.example/?to=https%3A%2F%2Fwww.canary.example%2Freports%2F31", id="the same, encoded"),
    ],
)
def test_w12_a_text_that_names_the_issue(text):
    assert names_in(text) & SECRET


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("ISS-310, ISS-3, ISS-131", id="other numbers"),
        pytest.param("swiss 31 miss-31", id="other words"),
        pytest.param("https://github.example/acme/shop/issues/31", id="an issue of somebody else's"),
        pytest.param("https://canary.example/reports/310", id="another link"),
        pytest.param("https://canary.example/reports", id="what stands above its link"),
        pytest.param("TKT-31 CONV-31 PART-31", id="names of other things"),
        pytest.param("The zephyr overflow is fixed.", id="a text without its name"),
    ],
)
def test_what_does_not_name_it(text):
    assert not names_in(text) & SECRET


@pytest.mark.parametrize(
    "link",
    [
        pytest.param("https://canary.example/wiki/Overflow_(Zephyr)", id="with brackets"),
        pytest.param("https://canary.example/issues?id=31&tab=2#c1", id="with a query"),
        pytest.param("https://user@canary.example:8443/31/", id="with a port"),
        pytest.param("canary.example/31", id="without a scheme"),
        pytest.param("https://canary.example/%C3%BCber/31", id="with letters that are encoded"),
        pytest.param("https://canary.example/" + "x/" * 2000, id="of four thousand characters"),
    ],
)
def test_w12_every_link_is_found_again(link):
    assert link_name(link) in names_in(f"You find it here ({link}).")


def test_nobody_reads_a_link_from_its_name():
    assert "canary" not in link_name(LINK)
    assert len(link_name("https://canary.example/" + "x" * 100_000)) == len(link_name(LINK))


@given(st.text(max_size=300))
def test_whatever_is_written_a_name_in_it_is_found(text):
    assert "ISS-31" in names_in(f"{text} ISS-31 {text}".replace("<", ""))


@pytest.mark.parametrize("part", ["iss 1 ", "a.b/", "/?#&", "%25", "&amp;", "<", "<<a>", "0" * 99, "iss----"])
def test_a_hostile_text_takes_no_time_to_speak_of(part):
    # A reply has at most so many bytes; whatever backtracks would never come back.
    assert isinstance(names_in(part * (32 * 1024 // len(part))), frozenset)

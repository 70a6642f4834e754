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
        pytest.param("http://tracker/31", id="of a host inside the house"),
        pytest.param("https://canary.example/%C3%BCber/31", id="with letters that are encoded"),
        pytest.param("https://canary.example/" + "x/" * 2000, id="of four thousand characters"),
    ],
)
def test_w12_every_link_is_found_again(link):
    assert link_name(link) in names_in(f"You find it here ({link}).")


SEGMENTS = st.text("abcü31-", min_size=1, max_size=8).filter(lambda segment: segment.strip("-"))
SPELLINGS = {
    "the default port": lambda host, path: f"https://{host}:443/{path}",
    "another dash": lambda host, path: f"https://{host}/{path.replace('-', chr(0x2011))}",
    "an empty port": lambda host, path: f"https://{host}:/{path}",
    "a user": lambda host, path: f"https://me:secret@{host}/{path}",
    "the root's dot": lambda host, path: f"https://{host}./{path}",
    "capital letters": lambda host, path: f"HTTPS://{host.upper()}/{path}",
    "an ideographic dot": lambda host, path: f"https://{host.replace('.', '。')}/{path}",
    "letters as ASCII": lambda host, path: f"https://{host.encode('idna').decode()}/{path}",
    "double slashes": lambda host, path: f"https://{host}//{path.replace('/', '//')}//",
    "more slashes after the scheme": lambda host, path: f"https:////{host}/{path}",
    "no scheme": lambda host, path: f"//{host}/{path}",
    "one more dot": lambda host, path: f"https://{host}/./{path}/.",
    "a way up": lambda host, path: f"https://{host}/a/../{path}",
    "backslashes": lambda host, path: f"https:\\\\{host}\\{path.replace('/', chr(92))}",
    "encoded letters": lambda host, path: f"https://{host}/" + "".join(f"%{byte:02x}" for byte in path.encode()),
}
WITHIN = [
    "Link:{}",
    "as filed—{}—last week",
    "{}/comments/4?tab=2#top",
    "**{}**",
    "{};jsessionid=1",
    "“{}”,",
    "x={}&y=2",
    "{},https://a.example",
    "{}’s",
    "{}–which",
    "•{}",
    "{}，见",
    "{}!!x",
    "{}\ufe0f",
]


@pytest.mark.parametrize("spelling", list(SPELLINGS))
@given(st.sampled_from(["tracker", "bücher"]), st.lists(SEGMENTS, min_size=1, max_size=5))
def test_w12_a_link_is_the_same_however_it_is_spelled(spelling, name, segments):
    plain = f"https://{name}.example/{'/'.join(segments)}"
    spelled = SPELLINGS[spelling](f"{name}.example", "/".join(segments))
    assert link_name(plain) in names_in(f"See {spelled} there.")
    assert link_name(spelled) in names_in(f"See {plain} there.")


@pytest.mark.parametrize("within", WITHIN)
def test_w12_a_link_is_found_whatever_stands_around_it(within):
    assert link_name(LINK) in names_in(f"See {within.format(LINK)} there.")
    assert link_name(LINK) in names_in(f"See {within.format('canary.example/reports/31')} there.")


@pytest.mark.parametrize(
    ("link", "same", "other"),
    [
        pytest.param(
            "https://t.example/sites/Product%20Security/31",
            "https://t.example/sites/product%20security/31/",
            "https://t.example/sites/Product%20Docs/manual.pdf",
            id="an encoded blank",
        ),
        pytest.param("https://t.example/(31)", "(https://t.example/(31))", "https://t.example/(32)", id="a bracket"),
        pytest.param("https://[2001:db8::1]/31", "https://[2001:db8::1]/31#top", "https://[2001:db8::2]/7", id="IPv6"),
    ],
)
def test_w12_a_link_is_the_whole_of_it(link, same, other):
    assert link_name(link) in names_in(f"See {same} there.")
    assert link_name(link) not in names_in(f"See {other} there.")


@pytest.mark.parametrize(
    ("link", "text"),
    [
        pytest.param("https://t.example/show?id=31", "https://t.example/show?tab=2&id=31", id="among more parameters"),
        pytest.param("https://t.example/show?p=1&id=31", "t.example/show?id=31&p=1.", id="in another order"),
        pytest.param("https://t.example/#/issues/31", "https://t.example/#/issues/31/comments", id="in a fragment"),
    ],
)
def test_w12_a_link_is_found_by_its_parameters(link, text):
    assert link_name(link) in names_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://t.example/show?id=3",
        "https://t.example/show",
        "https://u.example/show?id=31",
        "t.example:81/show?id=31",
    ],
)
def test_another_page_of_the_same_host_is_another_link(text):
    assert link_name("https://t.example/show?id=31") not in names_in(text)


def test_nobody_reads_a_link_from_its_name():
    assert "canary" not in link_name(LINK)
    assert len(link_name("https://canary.example/" + "x" * 100_000)) == len(link_name(LINK))


@given(st.text(max_size=300))
def test_whatever_is_written_a_name_in_it_is_found(text):
    assert "ISS-31" in names_in(f"{text} ISS-31 {text}".replace("<", ""))


@pytest.mark.parametrize(
    "part",
    [
        "iss 1 ",
        "a.b/",
        "/?#&",
        "%25",
        "&amp;",
        "<",
        "<<a>",
        "0" * 99,
        "iss----",
        "a.b=",
        "a.b:!",
        "!?" * 900 + "a.b/",
        "//a.b?a&b;c#d/e ",
        "xn--a.b/../",
        "\\a.b",
    ],
)
def test_a_hostile_text_takes_no_time_to_speak_of(part):
    # A reply has at most so many bytes; whatever backtracks would never come back.
    assert isinstance(names_in(part * (32 * 1024 // len(part))), frozenset)

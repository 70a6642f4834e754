"""W12: links as people copy them: out of Markdown, JSON, mails that a gateway rewrote, an address bar."""

import pytest

from deskstream.contracts.confidential import link_name, names_in

LINK = "https://tracker.example/browse/SEC-31"

COPIED = [
    pytest.param(r"https://tracker.example/browse/SEC\-31", id="escaped in Markdown"),
    pytest.param("https://tracker.example/browse/**SEC-31**", id="in bold letters"),
    pytest.param("tracker.example/browse/_SEC-31_", id="in italics"),
    pytest.param(r'{"url":"https:\/\/tracker.example\/browse\/SEC-31"}', id="in JSON"),
    pytest.param(r"https://tracker.example\u002fbrowse\u002fSEC-31", id="in JSON of another program"),
    pytest.param("hxxps://tracker[.]example/browse/SEC-31", id="not to be opened by a slip"),
    pytest.param("hxxps[:]//tracker(dot)example/browse/SEC-31", id="not to be opened by a slip, otherwise"),
    pytest.param(
        "https://urldefense.proofpoint.com/v2/url?u=https-3A__tracker.example_browse_SEC-2D31&d=DwMF-g&c=x",
        id="rewritten by a gateway",
    ),
    pytest.param(
        "https://urldefense.com/v3/__https://tracker.example/browse/SEC-31__;!!Abc!x$",
        id="rewritten by its next version",
    ),
    pytest.param(
        "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Ftracker.example%2Fbrowse%2FSEC-31&data=05",
        id="rewritten by another one",
    ),
    pytest.param("https://r.example/tracker.example%2Fbrowse%2FSEC-31", id="within another one, without a scheme"),
    pytest.param(f"{LINK}.It is fixed", id="in a sentence that goes on after a full stop"),
    pytest.param("…tracker.example/browse/SEC-31", id="after an ellipsis"),
    pytest.param("•tracker.example/browse/SEC-31–fixed", id="in a list"),
    pytest.param("https://tracker.example/browse/\nSEC-31", id="over two lines"),
    pytest.param("> https://tracker.example/browse/\r\n> SEC-31", id="over two lines of a quotation"),
    pytest.param("https://tracker.example/bro=\nwse/SEC-31", id="broken by quoted-printable"),
    pytest.param("https://tracker.example/browse/SEC\u00ad-31", id="with a hyphen that nobody sees"),
    pytest.param(f"{LINK}?focusedId=10#comment-10", id="to a comment"),
    pytest.param(f"{LINK}?utm_source=mail&utm_medium=x", id="as followed by who sent it"),
    pytest.param(f"{LINK}/index.html", id="to its front page"),
]


@pytest.mark.parametrize("text", COPIED)
def test_w12_a_link_is_found_as_people_copy_it(text):
    assert link_name(LINK) in names_in(f"See {text} there.")


@pytest.mark.parametrize(
    "stored",
    [
        "https://tracker.example/browse/SEC-31#comment-1",
        "https://tracker.example/browse/SEC-31#issuecomment-20931",
        "https://tracker.example/browse/SEC-31?utm_source=mail&fbclid=x#top",
        "https://tracker.example/browse/SEC-31/index.html",
        "https://tracker.example/browse/_SEC-31_",
    ],
)
def test_w12_what_tells_how_somebody_came_to_a_link_is_no_part_of_it(stored):
    assert link_name(stored) == link_name(LINK)


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        pytest.param("/show?project=SEC&id=31", "/show?a=1&id=31&project=SEC&tab=2", id="two parameters among others"),
        pytest.param("/show?p=SEC&q=1&id=31", "/show?a=1&id=31&p=SEC&q=1&tab=2", id="three among others"),
        pytest.param("/show?id=31#c4", "/show?id=31&tab=1", id="a comment of a page known by a parameter"),
        pytest.param("/show?id=31&utm_source=mail", "/show?tab=1&id=31", id="followed, among others"),
        pytest.param("/#/issues/31", "/#/issues/31", id="known by its fragment"),
        pytest.param("/app#31", "/app#31", id="known by the number in its fragment"),
    ],
)
def test_w12_a_link_is_known_by_its_parameters_or_its_fragment(stored, text):
    assert link_name(f"https://t.example{stored}") in names_in(f"See https://t.example{text}, please.")


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        pytest.param("/browse/SEC-31", "/browse/SEC-3", id="a number that begins like it"),
        pytest.param("/browse/SEC-31", "/browse/SEC-311", id="a number that it begins"),
        pytest.param("/browse/SEC-31", "/browse/", id="what it lies in"),
        pytest.param("/browse/SEC-31#comment-1", "/browse/", id="what it lies in, of a comment"),
        pytest.param("/show?project=SEC&id=31", "/show?project=SEC&id=32", id="another one of its project"),
        pytest.param("/show?id=31#c4", "/show?id=32#c4", id="the same comment of another one"),
        pytest.param("/#/issues/31", "/#/issues/32", id="another fragment"),
        pytest.param("/#/issues/31", "/", id="no fragment"),
        pytest.param("/app#31", "/app", id="what shows all of them"),
        pytest.param("/release/4", "/release/4.2", id="a longer number with a full stop"),
        pytest.param("/browse/SEC-31", "/browse/\n\nSEC-31", id="a new paragraph"),
    ],
)
def test_w12_no_other_link_is_taken_for_it(stored, text):
    assert link_name(f"https://t.example{stored}") not in names_in(f"See https://t.example{text} there.")


def test_a_link_of_many_parameters_is_found_as_a_whole():
    many = "&".join(f"p{number}={number}" for number in range(40))
    backwards = "&".join(f"p{number}={number}" for number in reversed(range(40)))
    assert link_name(f"https://t.example/show?{many}") in names_in(f"https://t.example/show?{backwards}")

"""Notes (C14), titles and people (C4), tags (C12), sharing: what is said about a conversation, and hostile input."""

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import conversation as asked
from deskstream.contracts.facts import Stage
from deskstream.conversation.domain.describing import SHARED_LIMIT, TAGS_LIMIT
from deskstream.conversation.domain.state import PARTICIPANTS_LIMIT
from deskstream.conversation.domain.wording import MENTIONS_LIMIT
from services.conversation.tests.given import NOON, Story, chosen, in_stage, person

NEW = Stage.NEW


@pytest.fixture
def story():
    return in_stage(NEW)


def refusal(ask):
    with pytest.raises(Refused) as no:
        ask()
    return no.value.code


@pytest.mark.parametrize(
    ("text", "mentioned"),
    [
        pytest.param(
            "@Carla, could you? @billing-team too; @carla!", ("carla", "billing-team"), id="C14: people, teams, once"
        ),
        pytest.param("mail ada@acme.com, see a.@b and c-@d", (), id="an address mentions nobody"),
        pytest.param("(@carla) /@bruno", ("carla", "bruno"), id="in brackets"),
        pytest.param("@@ @- @_ @", (), id="a lone sign mentions nobody"),
        pytest.param("@" + "x" * 500, ("x" * 64,), id="an endless name is cut"),
    ],
)
def test_mentions(story, text, mentioned):
    [said] = story.note(text)
    assert (said.note.mentions, said.note.text, said.note.author) == (mentioned, text, "anna")


def test_mentions_are_bounded(story):
    [said] = story.note(" ".join(f"@agent{n}" for n in range(200)))
    assert len(said.note.mentions) == MENTIONS_LIMIT


def test_c14_a_note_is_never_sent_outside(story):
    assert [event.NAME for event in story.note()] == ["note_added"]


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        pytest.param(lambda s: s.note(by=""), "author_is_missing", id="a note from nobody"),
        pytest.param(lambda s: s.note(" \x00 "), "text_is_empty", id="an empty note"),
        pytest.param(lambda s: s.ask(asked.SetTitle, title=" \n"), "title_is_empty", id="an empty title"),
    ],
)
def test_refused(story, ask, code):
    assert refusal(lambda: ask(story)) == code


def test_c4_a_title_is_set_on_one_line(story):
    [said] = story.ask(asked.SetTitle, title=" New\r\nBcc: everybody ")
    assert said.after.title == "New Bcc: everybody"
    assert story.ask(asked.SetTitle, title="New Bcc: everybody") == []


def test_c4_members_are_added_without_a_new_thread(story):
    [said] = story.add(person("eve@acme.com"))
    assert (said.participant.side, said.participant.verified, said.participant.added_by) == ("customer", True, "anna")
    assert story.add(person("EVE@acme.com")) == []
    assert story.add(person()) == []


def test_an_agent_takes_a_strangers_mark_away(story):
    story.customer(sender=person("m@home.example"), contact=None, verified=False)
    assert [p.verified for p in story.open.participants] == [False]
    story.add(person("m@home.example"))
    assert [p.verified for p in story.open.participants] == [True]


def test_no_more_people_than_fit(story):
    for n in range(PARTICIPANTS_LIMIT):
        story.add(person(f"p{n}@acme.com"))
    assert refusal(lambda: story.add(person("one-more@acme.com"))) == "too_many_participants"


@pytest.mark.parametrize(
    ("add", "tags"),
    [
        pytest.param({"stalled": ""}, {"stalled": ""}, id="C12: stalled"),
        pytest.param({"priority": "escalated"}, {"priority": "escalated"}, id="C12: priority:escalated"),
        pytest.param({"moving": "fast"}, {"moving": "fast"}, id="C12: moving:fast"),
        pytest.param({"moving": "slow"}, {"moving": "slow"}, id="C12: moving:slow"),
        pytest.param({"blocked": ""}, {"blocked": ""}, id="C12: blocked"),
        pytest.param({"churn-risk": "Q3 2026"}, {"churn-risk": "Q3 2026"}, id="C12: a tag of the agents' own"),
        pytest.param({"kunde": "Müller"}, {"kunde": "Müller"}, id="C12: its value in any language"),
    ],
)
def test_tags(story, add, tags):
    [said] = story.ask(asked.ChangeTags, add=add)
    assert (said.added, said.after.tags) == (add, tags)
    assert story.ask(asked.ChangeTags, add=add) == []
    [said] = story.ask(asked.ChangeTags, remove=(*add, "unknown"))
    assert (said.removed, said.after.tags) == (tuple(add), {})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"add": {"stalled": "very"}}, "tag_value_unknown", id="C12: stalled has no value"),
        pytest.param({"add": {"moving": "sideways"}}, "tag_value_unknown", id="C12: moving is fast or slow"),
        pytest.param({"add": {"priority": ""}}, "tag_value_unknown", id="C12: priority needs a value"),
        pytest.param(
            {"add": {"resolution": "spam"}}, "resolution_tag_is_set_by_resolving", id="C12: resolution, by hand"
        ),
        pytest.param({"remove": ("resolution",)}, "resolution_tag_is_set_by_resolving", id="resolution, off by hand"),
        pytest.param({"add": {"Über": ""}}, "tag_is_malformed", id="a name with other letters"),
        pytest.param({"add": {"": ""}}, "tag_is_malformed", id="no name"),
        pytest.param({"add": {"x" * 65: ""}}, "tag_is_malformed", id="an endless name"),
        pytest.param({"add": {"own": "x" * 65}}, "tag_is_malformed", id="an endless value"),
        pytest.param({"add": {"own": "a\x00b"}}, "tag_is_malformed", id="a value with NUL"),
        pytest.param(
            {"add": {"own": "=cmd|' /C calc'!A0"}}, "tag_is_malformed", id="a value that a spreadsheet would run"
        ),
        pytest.param({"add": {f"t{n}": "" for n in range(TAGS_LIMIT + 1)}}, "too_many_tags", id="more than fit"),
    ],
)
def test_tags_are_refused(story, change, code):
    assert refusal(lambda: story.ask(asked.ChangeTags, **change)) == code


def test_adding_wins_over_removing_the_same(story):
    [said] = story.ask(asked.ChangeTags, add={"blocked": ""}, remove=("blocked",))
    assert (said.added, said.removed) == ({"blocked": ""}, ())


def test_c14_sharing_keeps_the_owner(story):
    story.absorb(chosen("anna"))
    [said] = story.ask(asked.Share, agent="dora")
    assert (said.after.shared_with, said.after.owner) == (("dora",), "anna")
    assert story.ask(asked.Share, agent="dora") == []


def test_it_is_shared_with_no_more_than_fit(story):
    for n in range(SHARED_LIMIT):
        story.ask(asked.Share, agent=f"a{n}")
    assert refusal(lambda: story.ask(asked.Share, agent="one-more")) == "shared_with_too_many"


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(
            lambda: asked.Snooze(conversation_id=Story().id, until=NOON.replace(tzinfo=None), reason="x"), id="no zone"
        ),
        pytest.param(lambda: asked.Hold(conversation_id=Story().id, waits=()), id="a hold for nothing"),
        pytest.param(
            lambda: asked.StartConversation(contact=person(), channel="a.b", title="x", text="x"),
            id="a channel with a dot",
        ),
        pytest.param(
            lambda: asked.StartConversation(contact=person(), inbox="*", title="x", text="x"), id="an inbox with a star"
        ),
    ],
)
def test_what_the_contract_refuses(broken):
    with pytest.raises(ValueError, match="validation error"):
        broken()

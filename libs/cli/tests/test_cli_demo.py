import json
import os
import subprocess
import sys

import pytest

from deskstream.cli.demo.story import CHAPTERS
from deskstream.cli.demo.telling import Teller, quoted

TITLES = [
    "Sixteen mails", "Why Anna, why not Bruno", "The weekend", "Follow one mail", "Pull the plug", "Poison",
    "Three wishes, one mail", "Nobody forgotten", "Security",
]  # fmt: skip


@pytest.fixture
def demo(tmp_path):
    """The real command in an empty folder, where the environment is somebody else's desk's."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DESKSTREAM_")}
    environment |= {"DESKSTREAM_SLA_ZONE": "Asia/Tokyo", "DESKSTREAM_EMAIL_INBOXES": "help@elsewhere.example=help"}

    def play(*arguments):
        command = [sys.executable, "-m", "deskstream.cli", "demo", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)

    return play


def chapter_of(story, title):
    return next(chapter for chapter in story["chapters"] if chapter["title"] == title)


def facts(chapter, name):
    """Every value of a fact in a chapter."""
    return [said[name] for said in chapter["said"] if name in said]


def all_chapters_are_played_and_say_how_to_repeat_them(story):
    assert [chapter["title"] for chapter in story["chapters"]] == TITLES
    assert [chapter["again"] for chapter in story["chapters"]] == [
        f"deskstream demo --chapter {name}" for name in CHAPTERS
    ]


def mails_of_many_kinds_become_conversations(story):
    chapter = chapter_of(story, "Sixteen mails")
    (rows,) = chapter["tables"]
    assert len(rows) == 12
    became = [row["became"] for row in rows]
    assert became[4] == became[11] == became[0]
    assert len(set(became)) == 10
    suspended = [row["mail"] for row in rows if row["stage"] == "suspended"]
    assert suspended == ["spam", "newsletter"]
    assert all(row["owner"] != "–" for row in rows if row["stage"] == "new")
    follow_up = chapter["said"][-1]
    assert (follow_up["owner"], follow_up["conversation"] in became) == ("bruno", False)


def the_keyword_rule_beats_the_default_owner(story):
    chapter = chapter_of(story, "Why Anna, why not Bruno")
    steps, candidates, *_ = chapter["tables"]
    assert facts(chapter, "owner")[0] == "anna"
    assert "whose default owner is bruno" in chapter["said"][0]["text"]
    assert next(row["tried in this order"] for row in steps if row[""] == "✔").startswith("keyword_rule")
    passed_over = {row["candidate"]: row["why, or why not"] for row in candidates if row[""] != "✔"}
    assert "keyword rule" in passed_over["bruno"]


def the_customer_comes_before_the_stranger_who_wrote_first(story):
    chapter = chapter_of(story, "Why Anna, why not Bruno")
    (stranger,), (customer,), (taken,), (waits,) = (
        facts(chapter, name) for name in ("stranger", "customer", "taken", "waits")
    )
    assert (taken, waits, stranger != customer) == (customer, True, True)


def the_weekend_takes_fifty_open_minutes(story):
    chapter = chapter_of(story, "The weekend")
    assert facts(chapter, "outcome") == ["met"]
    assert round(facts(chapter, "business_minutes")[0]) == 50
    assert round(facts(chapter, "calendar_minutes")[0]) == 5330
    assert any("Fri  1 May" in line for line in chapter["picture"])


def one_mail_is_followed_through_every_service_in_order_of_time(story):
    (rows,) = chapter_of(story, "Follow one mail")["tables"]
    assert {row["service"] for row in rows} == {
        "channel_email", "ingest", "crm", "conversation", "routing", "sla", "gateway",
    }  # fmt: skip
    times = [float(row["ms"]) for row in rows]
    assert times == sorted(times)
    assert rows[-1]["said"] == "visible in the inbox"


def nothing_is_lost_when_the_plug_is_pulled(story):
    end = chapter_of(story, "Pull the plug")["said"][-1]
    counted = {name: end[name] for name in ("received", "applied", "duplicate", "rejected", "dead", "in_order")}
    assert counted == {
        "received": 200, "applied": 197, "duplicate": 2, "rejected": 1, "dead": 0, "in_order": True,
    }  # fmt: skip
    assert end["text"].startswith(
        "200 received = 197 applied + 2 duplicate + 1 rejected + 0 dead, order kept, back in "
    )


def a_poison_message_holds_up_its_key_only_and_is_tried_again_in_order(story):
    chapter = chapter_of(story, "Poison")
    (rows,) = chapter["tables"]
    assert [(row["state"], row["behind it"]) for row in rows] == [("failed", "1")]
    assert "12-B" in rows[0]["reason"]
    (held_up,), (others,) = facts(chapter, "held_up"), facts(chapter, "others")
    assert (len(held_up), len(others)) == (1, 2)
    assert facts(chapter, "numbers") == [["12-B", "13"]]
    assert facts(chapter, "waiting") == [0]


def three_tickets_outlive_their_conversation_and_one_approval_answers_two_customers(story):
    chapter = chapter_of(story, "Three wishes, one mail")
    (rows,) = chapter["tables"]
    assert [(row["type"], row["part"]) for row in rows] == [
        ("bug", "Export"), ("feature_request", "Dark mode"), ("feature_request", "Reports"),
    ]  # fmt: skip
    assert facts(chapter, "tickets") == [["new", "new", "new"]]
    assert facts(chapter, "stage") == ["resolved", "needs_response"]
    assert facts(chapter, "answered") == [["ada@acme.example", "ben@globex.example"]]
    assert facts(chapter, "mails") == [2]
    assert "waits for an answer any more" in chapter["said"][-1]["text"]
    drawn = "\n".join(chapter["picture"])
    assert all(name in drawn for name in ("Acme GmbH", "Globex", "Atlas", *facts(chapter, "issue")))


def a_silent_customer_is_reminded_twice_and_an_open_task_refuses_the_end(story):
    chapter = chapter_of(story, "Nobody forgotten")
    assert facts(chapter, "reminders") == [1, 2]
    # 16 and 32 open hours of 7 a day after Monday 09:00.
    assert [at[:13] for at in facts(chapter, "at")] == ["2026-06-10T11", "2026-06-12T14"]
    assert facts(chapter, "refused_by") == [["Update the docs"]]
    assert facts(chapter, "stage") == ["pending", "closed"]
    assert (facts(chapter, "engineer"), facts(chapter, "resolution")) == (["clara"], ["silent_after_answer"])
    (history,) = chapter["tables"]
    happened = [row["what"] for row in history]
    end = ["solving_stopped", "customer_engineer_told", "ticket_solved"]
    assert [what for what in happened if what in end] == end
    assert happened.count("follow_up_sent") == 2


def a_customer_reads_no_word_of_a_confidential_issue(story):
    chapter = chapter_of(story, "Security")
    (rows,) = chapter["tables"]
    seen = {row[""]: (row["the customer sees"], row["we see"]) for row in rows}
    assert (seen["filed"][0], seen["links"], seen["text"][0]) == ("yes", ("–", "–"), "–")
    assert all(theirs != ours for name, (theirs, ours) in seen.items() if name != "links")
    assert facts(chapter, "security") == ["yes"]
    assert "confidential" in facts(chapter, "refused")[0]
    assert (facts(chapter, "lanes"), facts(chapter, "leaks")) == ([["events.issues"]], [[]])
    assert facts(chapter, "messages")[0] > 0


def what_programs_read_is_not_dressed_for_a_screen(story):
    texts = [said["text"] for chapter in story["chapters"] for said in chapter["said"]]
    assert not [text for text in texts if "[b]" in text or "[/" in text]


PROMISES = (
    all_chapters_are_played_and_say_how_to_repeat_them,
    mails_of_many_kinds_become_conversations,
    the_keyword_rule_beats_the_default_owner,
    the_customer_comes_before_the_stranger_who_wrote_first,
    the_weekend_takes_fifty_open_minutes,
    one_mail_is_followed_through_every_service_in_order_of_time,
    nothing_is_lost_when_the_plug_is_pulled,
    a_poison_message_holds_up_its_key_only_and_is_tried_again_in_order,
    three_tickets_outlive_their_conversation_and_one_approval_answers_two_customers,
    a_silent_customer_is_reminded_twice_and_an_open_task_refuses_the_end,
    a_customer_reads_no_word_of_a_confidential_issue,
    what_programs_read_is_not_dressed_for_a_screen,
)


@pytest.mark.slow
def test_the_whole_story_keeps_its_promises(demo):
    done = demo("--json")
    assert done.returncode == 0, done.stderr
    story = json.loads(done.stdout)
    for holds in PROMISES:
        holds(story)


@pytest.mark.slow
def test_a_chapter_can_be_played_alone_and_tells_people(demo):
    done = demo("--chapter", "why")
    assert done.returncode == 0, done.stderr
    assert "Why Anna, why not Bruno" in done.stdout
    assert "The weekend" not in done.stdout
    assert "again: deskstream demo --chapter why" in done.stdout


def test_an_unknown_chapter_is_misuse_and_the_known_ones_are_named(nowhere):
    said = nowhere.now("demo", "--chapter", "sequel")
    assert said.code == 2
    assert "There is no chapter 'sequel'" in said.err
    assert all(name in said.err for name in CHAPTERS)
    assert "Traceback" not in said.err


def test_the_words_of_a_mail_dress_no_line_and_drive_no_terminal(capsys):
    teller = Teller(quiet=False)
    teller.chapter("One")
    subject = quoted("[red]sale[/red] [/] \x1b[2J back")
    teller.line(f"as “{subject}”")
    assert teller.chapters[0]["said"] == [{"text": "as “[red]sale[/red] [/] [2J back”"}]
    assert "[red]sale[/red]" in capsys.readouterr().out


def test_the_teller_keeps_what_it_tells():
    teller = Teller(quiet=True)
    teller.line("before any chapter")
    teller.chapter("One")
    teller.line("[b]CONV-1[/b] arrives", conversation="CONV-1")
    teller.table(["a", "b"], [["1", "2"]])
    teller.picture(["──"])
    teller.again("deskstream demo --chapter one")
    (chapter,) = teller.chapters
    assert chapter | {"at_s": 0} == {
        "title": "One",
        "at_s": 0,
        "said": [{"text": "CONV-1 arrives", "conversation": "CONV-1"}],
        "tables": [[{"a": "1", "b": "2"}]],
        "picture": ["──"],
        "again": "deskstream demo --chapter one",
    }

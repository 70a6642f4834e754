"""W12: no word and no link of a confidential issue leaves the dev org's side, whatever is done with it."""

import json

import pytest

from deskstream.contracts import Event, Refused, confidential
from deskstream.contracts import issues as asked
from deskstream.contracts import ticket_commands as of_tickets
from deskstream.contracts.issues import LANE, IssueEvent
from deskstream.ticketing.domain import Known
from services.ticketing.tests.given import ANNA, CARLA, Desk, conversation, names

WORDS = ("zephyr overflow", "canary in the parser", "canary task", "canary.example")
LINK = "https://canary.example/31"


def a_long_life(desk: Desk) -> None:
    """A confidential issue from its filing to the answer, with everything in between that carries words."""
    one, two = desk.open(conversation=conversation(1)), desk.open(conversation=conversation(2))
    issue = desk.file(one, wait=True, title="Zephyr overflow", text="canary in the parser", security="no")
    desk.settle()
    desk.ask(issue, asked.PublishIssue, link=LINK, reveals="no")
    desk.ask(issue, asked.MarkSecurity, security="yes", reason="zephyr overflow is exploitable")
    desk.said[:] = [event for event in desk.said if event.at > desk.now]
    desk.queues.clear()
    desk.ask(issue, asked.AddIssueTask, title="canary task")
    desk.ask(issue, asked.ChangeIssue, title="Zephyr overflow, exploitable", text="more canary in the parser")
    other = desk.file(title="Zephyr overflow again", security="yes")
    desk.ask(issue, asked.RelateIssue, kind="relates", to=other, known=Known(issue=desk.ref(other)))
    desk.link(two, issue, wait=True)
    desk.settle()
    desk.reply(one, "filed")
    desk.end(other, "duplicate", original=issue)
    desk.ask(issue, asked.AcceptIssue, by=CARLA)
    desk.ask(issue, asked.MoveIssue, stage="completed", reason="canary in the parser removed")
    desk.settle()
    desk.ask(issue, asked.ApproveAnswer, text="What you reported, {ticket}, is solved.")
    desk.settle()
    desk.ask(issue, asked.DeleteIssue, reason="zephyr overflow is over")
    desk.settle()


def tell_tale(event: Event) -> list[str]:
    text = event.model_dump_json().casefold()
    return [word for word in WORDS if word in text]


def test_w12_only_the_lane_of_issues_carries_words_of_a_confidential_one():
    desk = Desk()
    a_long_life(desk)
    telling = {event.lane() for event in desk.said if tell_tale(event)}
    assert telling == {LANE}
    others = {"events.ticketing", "events.links", "events.way_back", confidential.LANE}
    assert {event.lane() for event in desk.said} == {LANE, *others}


def test_w12_whoever_writes_to_customers_hears_the_names_and_no_word():
    desk = Desk()
    issue = desk.file(title="Zephyr overflow")
    desk.ask(issue, asked.PublishIssue, link=LINK, reveals="no")
    desk.ask(issue, asked.MarkSecurity, security="unsure", reason="it may be")
    desk.ask(issue, asked.MarkSecurity, security="yes", reason="it is")
    desk.ask(issue, asked.ChangeIssue, title="Zephyr overflow, exploitable")
    desk.ask(issue, asked.MarkSecurity, security="no", reason="it is not")
    told = [event for event in desk.said if isinstance(event, confidential.ConfidentialityChanged)]
    assert [(event.number, event.confidential, event.links) for event in told] == [
        (31, True, (confidential.link_name(LINK),)),
        (31, False, ()),
    ]
    assert not [event for event in told if tell_tale(event)]
    assert names(desk.ask(desk.file(security="yes"), asked.AddIssueTask, title="x")) == ["issue_task_changed"]
    assert desk.said[-2].confidential


def test_w12_what_becomes_confidential_takes_its_link_back_from_its_tickets():
    desk = Desk()
    one = desk.open()
    issue = desk.file(one)
    desk.settle()
    desk.ask(issue, asked.PublishIssue, link=LINK, reveals="no")
    desk.settle()
    assert desk.ticket(one).facts.issues[0].public_link == LINK
    desk.ask(issue, asked.MarkSecurity, security="yes", reason="it is exploitable")
    desk.settle()
    (ref,) = desk.ticket(one).facts.issues
    assert (ref.confidential, ref.public_link, desk.issue(issue).facts.public_link) == (True, None, None)


@pytest.mark.parametrize(
    ("reveals", "said", "security"),
    [
        pytest.param("no", "issue_published", "no", id="W12: no: it is published"),
        pytest.param("unsure", "publication_held", "unsure", id="W12: unsure: colleagues are asked, and it is held"),
        pytest.param("yes", "issue_security_marked", "yes", id="W12: yes: it is confidential"),
    ],
)
def test_publishing_asks_whether_it_could_reveal_a_vulnerability(reveals, said, security):
    desk = Desk()
    issue = desk.file()
    people = Known(people=(ANNA, CARLA))
    assert names(desk.ask(issue, asked.PublishIssue, link=LINK, reveals=reveals, known=people))[0] == said
    facts = desk.issue(issue).facts
    assert (facts.security, facts.public_link) == (security, LINK if reveals == "no" else None)
    if reveals == "unsure":
        assert [event.asked for event in desk.said if said == event.NAME] == [(ANNA, CARLA)]


@pytest.mark.parametrize("then", ["another link", "unsure"])
def test_w12_every_link_that_it_had_is_withheld_once_it_is_confidential(then):
    desk = Desk()
    issue = desk.file()
    desk.accept(issue)
    desk.ask(issue, asked.PublishIssue, link=LINK, reveals="no")
    if then == "unsure":
        desk.ask(issue, asked.PublishIssue, link=LINK, reveals="unsure", known=Known(people=(ANNA,)))
    else:
        desk.ask(issue, asked.PublishIssue, link="https://other.example/7", reveals="no")
    desk.ask(issue, asked.MarkSecurity, security="yes", reason="it may be abused")
    told = desk.told(confidential.ConfidentialityChanged)[-1]
    assert confidential.link_name(LINK) in told.links
    assert len(told.links) == (1 if then == "unsure" else 2)


@pytest.mark.parametrize("reveals", ["yes", "unsure"])
def test_w12_a_link_that_was_not_published_because_it_could_reveal_something_is_withheld(reveals):
    desk = Desk()
    issue = desk.file()
    desk.accept(issue)
    desk.ask(issue, asked.PublishIssue, link=LINK, reveals=reveals, known=Known(people=(ANNA,)))
    assert desk.told(confidential.ConfidentialityChanged)[-1].links == (confidential.link_name(LINK),)
    if reveals == "unsure":
        desk.ask(issue, asked.PublishIssue, link=LINK, reveals="no", by=CARLA, known=Known(people=(CARLA,)))
        assert desk.told(confidential.ConfidentialityChanged)[-1].links == ()


def test_w12_what_is_held_is_released_by_somebody_of_the_part_alone():
    desk = Desk()
    issue = desk.file(security="unsure")
    with pytest.raises(Refused) as refused:
        desk.ask(issue, asked.PublishIssue, link=LINK, reveals="no", known=Known(people=(CARLA,)))
    assert refused.value.code == "not_of_the_part"
    desk.ask(issue, asked.PublishIssue, link=LINK, reveals="no", by=CARLA, known=Known(people=(CARLA,)))
    assert desk.issue(issue).facts.public_link == LINK


@pytest.mark.parametrize(("before", "after"), [("yes", "unsure"), ("yes", "no"), ("unsure", "no")])
def test_w12_who_is_not_of_the_part_makes_nothing_less_secret_and_may_make_it_more(before, after):
    desk = Desk()
    issue = desk.file(security=before)
    known = Known(people=(CARLA,))
    with pytest.raises(Refused) as refused:
        desk.ask(issue, asked.MarkSecurity, security=after, reason="it was harmless", known=known)
    assert (refused.value.code, desk.issue(issue).facts.security) == ("not_of_the_part", before)
    desk.ask(issue, asked.MarkSecurity, security=after, reason="it was harmless", by=CARLA, known=known)
    desk.ask(issue, asked.MarkSecurity, security=before, reason="it was not", known=known)
    assert desk.issue(issue).facts.security == before


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("See ISS-31 for more.", id="W12: an answer that names the issue"),
        pytest.param("see iss-31", id="W12: an answer that names it in small letters"),
        pytest.param("The ZEPHYR OVERFLOW is solved.", id="W12: an answer that quotes its title"),
        pytest.param("It was the Canary in the Parser. Thanks!", id="W12: an answer that quotes a line of its text"),
        pytest.param("The zephyr\n  overflow is solved.", id="W12: an answer that breaks the line in its title"),
        pytest.param("The \uff5aephyr overflow is solved.", id="W12: an answer that quotes it in wide letters"),
        pytest.param(f"Read {LINK.upper()}!", id="W12: an answer with the link that it once had"),
    ],
)
def test_an_answer_that_tells_too_much_is_refused_and_the_refusal_tells_nothing(text):
    desk = Desk()
    issue = desk.file(desk.open(), title="Zephyr overflow", text="Hello,\n  the canary in the parser")
    desk.settle()
    desk.ask(issue, asked.PublishIssue, link=LINK, reveals="no")
    desk.ask(issue, asked.MarkSecurity, security="yes", reason="exploitable")
    desk.end(issue)
    with pytest.raises(Refused) as refused:
        desk.ask(issue, asked.ApproveAnswer, text=text)
    assert refused.value.code == "answer_tells_too_much"
    assert "zephyr" not in (refused.value.sentence + json.dumps(refused.value.details)).casefold()


def test_w12_an_honest_answer_is_not_refused_for_a_short_line_of_the_text():
    desk = Desk()
    issue = desk.file(desk.open(), title="Logout", text="Hello,\n\nplease help", security="yes")
    desk.settle()
    desk.end(issue)
    assert names(desk.ask(issue, asked.ApproveAnswer, text="Hello, your logout works. Please help us and say so."))


def test_w12_a_confidential_issue_is_never_published():
    desk = Desk()
    issue = desk.file(security="yes")
    with pytest.raises(Refused) as refused:
        desk.ask(issue, asked.PublishIssue, link=LINK, reveals="no")
    assert refused.value.code == "issue_is_confidential"


def test_every_refusal_of_a_ticket_names_numbers_only():
    # Refusals travel on the lane of tickets.
    desk = Desk()
    one, issue = desk.open(), desk.file(title="Zephyr overflow", security="yes")
    desk.end(issue)
    desk.link(one, issue)
    refusals = []
    for kind, more in (
        (of_tickets.HoldTicket, {"waits": [{"kind": "issue", "name": "ISS-31"}]}),
        (of_tickets.SolveTicket, {"category": "workaround"}),
        (of_tickets.RecordAnswer, {"gives": ["public_link"]}),
        (asked.AcceptIssue, {}),
        (asked.MoveIssue, {"stage": "wont_fix", "reason": "x"}),
        (asked.PublishIssue, {"link": LINK, "reveals": "no"}),
    ):
        with pytest.raises(Refused) as refused:
            desk.ask(issue if issubclass(kind, asked.IssueCommand) else one, kind, **more)
        refusals.append(refused.value)
    assert not [no for no in refusals if "zephyr" in (no.sentence + json.dumps(no.details)).casefold()]


def test_an_issue_s_events_have_a_lane_of_their_own():
    assert {kind.LANE for kind in IssueEvent.__subclasses__()} == {LANE}

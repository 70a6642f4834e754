"""W3, R12: whose turn it is, and the vista and the tracker of a ticket."""

import pytest

from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.vistas import tracker_of, triage_of, turn_of
from deskstream.ticketing.domain.ticket.discretion import is_filed, links_for_customers
from deskstream.ticketing.domain.ticket.wording import prepared
from services.ticketing.tests.given import Desk

LINK = "https://example.org/31"
VISTAS = {
    "new": ("us", "untriaged", "active"),
    "open": ("us", "triaged", "active"),
    "pending": ("customer", "triaged", "active"),
    "on_hold": ("others", "triaged", "active"),
    "solved": ("no_one", "closed", None),
    "closed": ("no_one", "closed", None),
    "canceled": ("no_one", "closed", None),
}


@pytest.mark.parametrize(
    ("stage", "turn", "triage", "tracker"),
    [pytest.param(stage, *listed, id=f"W3, R12: {stage}") for stage, listed in VISTAS.items()],
)
def test_each_stage_has_its_turn_vista_and_tracker(stage, turn, triage, tracker):
    desk = Desk()
    facts = desk.ticket(desk.in_stage(stage)).facts
    assert (turn_of(facts.stage), triage_of(facts.stage), tracker_of(facts)) == (turn, triage, tracker)


@pytest.mark.parametrize(("needs", "tracker"), [("yes", "product_assist"), ("no", "active"), ("unknown", "active")])
def test_r12_what_needs_a_code_change_asks_for_the_product_s_assistance(needs, tracker):
    desk = Desk()
    one = desk.open(needs_code_change=needs)
    assert tracker_of(desk.ticket(one).facts) == tracker


def test_r12_so_does_what_has_an_issue_whatever_is_said_of_code_until_it_is_solved():
    desk = Desk()
    one = desk.open(needs_code_change="no")
    desk.file(one)
    desk.settle()
    assert tracker_of(desk.ticket(one).facts) == "product_assist"
    desk.customer(one, solved=True)
    desk.ask(one, asked.SolveTicket, category="confirmed")
    assert tracker_of(desk.ticket(one).facts) is None


def test_r12_w12_an_issue_that_is_deleted_counts_nowhere():
    desk = Desk()
    one = desk.open(needs_code_change="no")
    issue = desk.file(one, wait=True)
    desk.settle()
    desk.ask(issue, of_issues.PublishIssue, link=LINK, reveals="no")
    desk.settle()
    facts = desk.ticket(one).facts
    assert (is_filed(facts), links_for_customers(facts), LINK in prepared(facts, "completed")) == (True, [LINK], True)
    desk.ask(issue, of_issues.DeleteIssue, reason="filed by mistake")
    desk.settle()
    facts = desk.ticket(one).facts
    assert (is_filed(facts), links_for_customers(facts), LINK in prepared(facts, "completed")) == (False, [], False)
    assert tracker_of(facts) == "active"

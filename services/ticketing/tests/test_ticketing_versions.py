"""W9: what is removed is bound to the version that was seen, and a change says how it is taken back."""

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.facts import WorkspaceFacts
from deskstream.contracts.ids import WorkspaceId
from deskstream.contracts.issues import IssueChanged
from deskstream.contracts.ticketing import TicketChanged
from services.ticketing.tests.given import ADA, Desk, new_id


def code_of(act):
    with pytest.raises(Refused) as refused:
        act()
    return refused.value.code


def test_w9_a_removal_of_what_was_not_seen_as_it_is_is_refused():
    desk = Desk()
    one, issue = desk.open(), desk.file()
    for named, kind in ((one, asked.DeleteTicket), (issue, of_issues.DeleteIssue)):
        assert (
            code_of(lambda named=named, kind=kind: desk.ask(named, kind, reason="x", version=9)) == "version_is_stale"
        )
        assert desk.ask(named, kind, reason="x", version=1)


def test_w9_a_change_says_what_was_there_before_and_so_is_taken_back():
    desk = Desk()
    one, issue = desk.open(owner=None, severity="low"), desk.file()
    desk.ask(one, asked.ChangeTicket, owner="bruno", severity="high", internal=True)
    (changed,) = desk.told(TicketChanged)
    assert changed.before == {"owner": "", "severity": "low", "internal": False}
    desk.ask(one, asked.ChangeTicket, **changed.before)
    assert (desk.ticket(one).facts.owner, desk.ticket(one).facts.severity) == (None, "low")
    desk.ask(issue, of_issues.ChangeIssue, owner="bruno")
    assert desk.told(IssueChanged)[0].before == {"owner": ""}


def test_w5_a_workspace_of_no_account_fits_nobody():
    desk = Desk()
    nowhere = WorkspaceFacts(id=WorkspaceId(new_id()), name="Staging")
    assert code_of(lambda: desk.open(account=None, workspace=nowhere)) == "workspace_without_account"
    one = desk.open()
    switch = {"requester": ADA, "account": None, "workspace": nowhere}
    assert code_of(lambda: desk.ask(one, asked.SwitchRequester, **switch)) == "workspace_without_account"

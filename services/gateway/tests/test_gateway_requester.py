"""Switching a ticket's requester over HTTP: who it is, and for which organisation, the CRM says."""

from uuid import UUID

import pytest

from deskstream.contracts import Answered, Problem
from deskstream.contracts.crm import FindContact
from deskstream.contracts.facts import AccountFacts, ContactFacts, WorkspaceFacts
from deskstream.contracts.ids import AccountId, ContactId, TicketId, WorkspaceId
from deskstream.contracts.ticket_commands import SwitchRequester

ID, ZOE_ID = UUID(int=7), UUID(int=9)
ZOE = ContactFacts(id=ContactId(ZOE_ID), name="Zoe", email="zoe@acme.com")
ACME = AccountFacts(id=AccountId(UUID(int=10)), name="Acme")
STAGING = WorkspaceFacts(id=WorkspaceId(UUID(int=11)), name="Staging")


def of(account, workspace):
    """A CRM that knows Zoe, and a ticketing that switches to her."""

    def answer(command):
        if not isinstance(command, FindContact):
            return Answered(ok=True, result={"ticket": {"id": str(ID), "version": 4}})
        if ZOE.id != command.contact_id and ZOE.email != command.email:
            problem = Problem(code="unknown_contact", sentence="The CRM knows no such contact: save it first.")
            return Answered(ok=False, error=problem)
        found = {"contact": ZOE, "account": account, "workspace": workspace}
        return Answered(
            ok=True, result={name: one.model_dump(mode="json") if one else None for name, one in found.items()}
        )

    return answer


@pytest.mark.parametrize("named", [str(ZOE_ID), "zoe@acme.com"], ids=["by id", "by address"])
@pytest.mark.parametrize(
    ("account", "workspace"),
    [
        pytest.param(ACME, STAGING, id="account and workspace follow"),
        pytest.param(ACME, None, id="an account without workspaces"),
        pytest.param(None, None, id="whoever belongs to nobody takes the old account away"),
    ],
)
async def test_w5_account_and_workspace_follow_from_the_crm(door, unread, named, account, workspace):
    unread.answer = of(account, workspace)
    answer = await door.post(f"/api/tickets/{ID}/requester/{named}")
    assert (answer.status_code, answer.headers.get("etag")) == (200, '"4"'), answer.text
    wanted = SwitchRequester(ticket_id=TicketId(ID), requester=ZOE, account=account, workspace=workspace)
    assert unread.calls[-1][0] == wanted


@pytest.mark.parametrize("named", [str(ID), "bob@acme.com", "Bob", "CONV-7", "' OR 1=1"])
async def test_w5_who_is_not_known_is_refused_and_nothing_is_switched(door, unread, named):
    unread.answer = of(ACME, None)
    answer = await door.post(f"/api/tickets/{ID}/requester/{named}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_contact")
    assert not [command for command, _, _ in unread.calls if isinstance(command, SwitchRequester)]


@pytest.mark.parametrize("field", ["requester", "account", "workspace", "ticket_id"])
async def test_w5_nobody_says_the_organisation_themselves(door, unread, field):
    unread.answer = of(ACME, None)
    answer = await door.post(f"/api/tickets/{ID}/requester/{ZOE_ID}", json={field: {"id": str(ID), "name": "Evil"}})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert not [command for command, _, _ in unread.calls if isinstance(command, SwitchRequester)]

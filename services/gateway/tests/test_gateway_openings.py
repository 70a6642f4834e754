"""Opening and filing over HTTP: for whom the CRM knows, and out of what the new one is linked to (W2, W5, W9)."""

from uuid import UUID

import pytest

from deskstream.contracts import Answered, Problem
from deskstream.contracts.crm import FindContact
from deskstream.contracts.issues import DeleteIssue, FileIssue, FindIssue, MoveIssue, RelateIssue
from deskstream.contracts.ticket_commands import FindTicket, OpenTicket

ID, NEW, CARLA = UUID(int=7), UUID(int=8), UUID(int=9)
CONTACT = {"id": str(CARLA), "name": "Carla", "email": "carla@acme.com"}
ACME = {"id": str(UUID(int=10)), "name": "Acme"}
LIVE = {"id": str(UUID(int=11)), "name": "Production"}
WISH = {"title": "Null pointer"}


class Others:
    """A CRM that knows Carla, and a ticketing that knows one issue and one ticket and takes what it does not refuse."""

    def __init__(self, refused=None, deleted=None):
        self.refused = refused
        self.old = {"id": str(ID), "number": 7, "version": 3, "deleted": deleted}

    def __call__(self, command):
        if isinstance(command, FindContact):
            if command.contact_id != CARLA and CONTACT["email"] != command.email:
                return no("unknown_contact")
            return Answered(ok=True, result={"contact": CONTACT, "account": ACME, "workspace": LIVE})
        if isinstance(command, FindIssue):
            return Answered(ok=True, result={"issue": self.old})
        if isinstance(command, FindTicket):
            return Answered(ok=True, result={"ticket": self.old})
        if isinstance(command, OpenTicket):
            return Answered(ok=True, result={"ticket": {"id": str(NEW), "version": 1}})
        if isinstance(command, FileIssue):
            return Answered(ok=True, result={"issue": {"id": str(NEW), "number": 8, "version": 1}})
        if self.refused and not isinstance(command, DeleteIssue):
            return no(self.refused)
        return Answered(ok=True, result={"issue": self.old | {"version": 4}})


def no(code):
    return Answered(ok=False, error=Problem(code=code, sentence="No."))


@pytest.mark.parametrize("path", ["/api/tickets", f"/api/issues/{ID}/tickets"])
@pytest.mark.parametrize("named", [str(CARLA), "carla@acme.com"], ids=["by id", "by address"])
async def test_w5_account_and_workspace_follow_from_the_contact_that_is_named(door, unread, path, named):
    unread.answer = Others()
    answer = await door.post(path, json={"title": "It crashes", "contact": named})
    assert (answer.status_code, answer.headers["etag"]) == (201, '"1"'), answer.text
    said = unread.calls[-1][0].model_dump(mode="json")
    assert [said[name]["id"] for name in ("requester", "account", "workspace")] == [
        CONTACT["id"], ACME["id"], LIVE["id"]
    ]  # fmt: skip
    assert said["issue_id"] == (str(ID) if "issues" in path else None)


async def test_a_ticket_from_inside_names_nobody(door, unread):
    unread.answer = Others()
    assert (await door.post("/api/tickets", json={"title": "Rotate the keys", "internal": True})).status_code == 201
    assert [type(command) for command, _, _ in unread.calls] == [OpenTicket]
    assert unread.calls[0][0].requester is None


@pytest.mark.parametrize("named", [str(ID), "bob@acme.com", "Bob", "' OR 1=1", "x" * 320])
async def test_w5_for_whom_nobody_knows_nothing_is_opened(door, unread, named):
    unread.answer = Others()
    answer = await door.post("/api/tickets", json={"title": "It crashes", "contact": named})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_contact")
    assert answer.headers["content-type"] == "application/problem+json"
    assert not [command for command, _, _ in unread.calls if isinstance(command, OpenTicket)]


async def test_w9_an_issue_is_filed_for_a_ticket_by_one_request(door, unread):
    unread.answer = Others()
    answer = await door.post(f"/api/tickets/{ID}/issues", json=WISH | {"wait": True})
    assert answer.status_code == 201
    filing = FileIssue(title="Null pointer", wait=True, tickets=(ID,))
    assert [command for command, _, _ in unread.calls] == [FindTicket(ticket_id=ID), filing]
    assert (await door.post(f"/api/tickets/{ID}/issues", json=WISH | {"tickets": [str(NEW)]})).status_code == 422


async def test_w9_for_a_deleted_ticket_no_issue_is_filed(door, unread):
    unread.answer = Others(deleted={"reason": "spam"})
    answer = await door.post(f"/api/tickets/{ID}/issues", json=WISH)
    assert (answer.status_code, answer.json()["code"]) == (409, "ticket_is_deleted")
    assert "TKT-7" in answer.json()["detail"]
    assert not [command for command, _, _ in unread.calls if isinstance(command, FileIssue)]


LINKS = {
    "blocks": RelateIssue(issue_id=ID, kind="blocks", to=NEW),
    "relates": RelateIssue(issue_id=ID, kind="relates", to=NEW),
    "duplicates": MoveIssue(issue_id=ID, stage="duplicate", duplicate_of=NEW),
}


@pytest.mark.parametrize("word", LINKS)
async def test_w9_an_issue_is_filed_and_linked_by_one_request_that_may_be_repeated(door, unread, word):
    unread.answer = Others()
    for _ in range(2):
        answer = await door.post(f"/api/issues/{ID}/{word}", json=WISH, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 201, answer.text
        assert (answer.json()["issue"]["id"], answer.json()["linked"]["version"]) == (str(NEW), 4)
    asked = [(command, key) for command, key, _ in unread.calls if not isinstance(command, FindIssue)]
    assert asked == [(FileIssue(title="Null pointer"), "anna:k"), (LINKS[word], "anna:k:link")] * 2


async def test_w9_where_the_link_is_refused_the_new_issue_does_not_stay_behind(door, unread):
    unread.answer = Others(refused="too_many_relations")
    answer = await door.post(f"/api/issues/{ID}/blocks", json=WISH, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_relations")
    gone, key, actor = unread.calls[-1]
    assert (type(gone), gone.issue_id, key, actor) == (DeleteIssue, NEW, "anna:k:undo", "anna")
    assert "too_many_relations" in gone.reason


async def test_w9_where_nobody_could_say_whether_it_is_linked_the_same_request_goes_on_from_there(door, unread):
    unread.answer = Others(refused="unavailable")
    answer = await door.post(f"/api/issues/{ID}/blocks", json=WISH, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert not [command for command, _, _ in unread.calls if isinstance(command, DeleteIssue)]


@pytest.mark.parametrize(
    ("others", "body", "status"),
    [
        pytest.param(Others(deleted={"reason": "spam"}), WISH, 409, id="on what is deleted"),
        pytest.param(Others(), {"title": ""}, 422, id="without a title"),
        pytest.param(Others(), WISH | {"to": str(NEW)}, 422, id="with another end"),
    ],
)
async def test_what_cannot_be_linked_is_not_filed(door, unread, others, body, status):
    unread.answer = others
    answer = await door.post(f"/api/issues/{ID}/relates", json=body)
    assert answer.status_code == status
    assert not [command for command, _, _ in unread.calls if isinstance(command, FileIssue)]

"""Tickets, issues and parts over HTTP: every command at its address, bound to versions, with names for ids."""

from typing import Any
from uuid import UUID

import pytest

from deskstream.contracts import Answered, Problem
from deskstream.contracts import issues as of_issues
from deskstream.contracts import part_commands as of_parts
from deskstream.contracts import ticket_commands as of_tickets
from deskstream.contracts.catalogue import commands
from deskstream.contracts.conversation_tickets import PrefillTicket
from deskstream.contracts.ids import TicketId
from deskstream.gateway.api.work_commands import CALLS, OFFERS, WorkOffer

ID, OTHER = UUID(int=7), UUID(int=8)
TICKET, ISSUE, PART = f"/api/tickets/{ID}", f"/api/issues/{ID}", f"/api/parts/{ID}"
NAMED = {
    "{ticket}": ID,
    "{issue}": ID,
    "{part}": ID,
    "{parent}": OTHER,
    "{other}": OTHER,
    "{number}": 2,
    "{contact}": ID,
}
CONTACT = {"id": str(ID), "name": "Carla"}
WAIT = {"kind": "person", "name": "carla"}

BODIES: dict[str, dict[str, Any]] = {
    "change_ticket": {"title": "It crashes often"},
    "record_answer": {"asks": "confirmation", "gives": ["answer"]},
    "record_customer": {"confirmed": True},
    "decide_answer": {"concerns": False},
    "hold_ticket": {"waits": [WAIT]},
    "end_ticket_wait": {"name": "carla", "reason": "done"},
    "solve_ticket": {"category": "workaround"},
    "cancel_ticket": {"reason": "filed twice"},
    "add_ticket_task": {"title": "Update the docs"},
    "change_ticket_task": {"how": "done"},
    "link_issue": {"wait": True},
    "file_issue": {"title": "Null pointer", "tickets": [str(ID)]},
    "change_issue": {"severity": "low"},
    "accept_issue": {"stage": "prioritized"},
    "move_issue": {"stage": "completed"},
    "mark_security": {"security": "yes", "reason": "leaks"},
    "publish_issue": {"link": "https://tracker.example/31", "reveals": "no"},
    "approve_answer": {"text": "It is fixed."},
    "add_issue_task": {"title": "Write a test"},
    "change_issue_task": {"how": "delegated", "owner": "bruno"},
    "save_part": {"name": "Checkout", "kind": "capability", "parent": str(OTHER)},
}


def asking(offer: WorkOffer, **more):
    """The request that an offer takes."""
    path = offer.path.replace("{kind}", "blocks")
    for name, value in NAMED.items():
        path = path.replace(name, str(value))
    headers = {} if offer.method == "POST" else {"If-Match": '"3"'}
    params = {"reason": "filed twice"} if offer.method == "DELETE" else {}
    body = None if offer.method == "DELETE" else BODIES.get(offer.kind.NAME, {})
    return {"method": offer.method, "url": path, "json": body, "headers": headers, "params": params} | more


def asked_for_nobody_else():
    return [offer for offer in OFFERS if not {"{conversation}", "{contact}"} & set(offer.path.split("/"))]


def name(offer):
    return f"{offer.method} {offer.path}"


@pytest.mark.parametrize("offer", asked_for_nobody_else(), ids=name)
async def test_every_command_is_offered(door, unread, offer):
    unread.answer = lambda command: Answered(ok=True, result={"ticket": {"id": str(ID), "version": 4}})
    answer = await door.request(**asking(offer))
    assert answer.status_code == offer.status, answer.text
    assert answer.headers["etag"] == '"4"'
    [(command, _, actor)] = unread.calls
    assert (type(command), actor) == (offer.kind, "anna")
    said = command.model_dump(mode="json")
    for field in ("ticket_id", "issue_id", "part_id"):
        if f"{{{field[:-3]}}}" in offer.path:
            assert said[field] == str(ID)
    if offer.method != "POST":
        assert (said["version"], said.get("reason") == "filed twice") == (3, offer.method == "DELETE")
    for field, value in (BODIES.get(offer.kind.NAME, {}) if offer.method != "DELETE" else {}).items():
        assert said[field] == value or isinstance(value, dict | list)


def test_every_command_of_ticketing_is_offered_or_read():
    asked = {kind for kind in CALLS if kind.SERVICE == "ticketing"}
    elsewhere = {of_tickets.ListTickets, of_tickets.CountTickets}
    assert {kind for kind in commands().values() if kind.SERVICE == "ticketing"} - elsewhere == asked


@pytest.mark.parametrize("offer", OFFERS, ids=name)
async def test_without_the_token_nothing_is_done(door, unread, offer):
    asked = asking(offer, headers={"Authorization": "Bearer no"})
    answer = await door.request(**(asked | {"url": asked["url"].replace("{conversation}", str(ID))}))
    assert (answer.status_code, unread.calls) == (401, [])


BOUND = [offer for offer in asked_for_nobody_else() if offer.method != "POST"]


@pytest.mark.parametrize("offer", BOUND, ids=name)
@pytest.mark.parametrize(
    ("if_match", "status", "code"),
    [
        pytest.param(None, 428, "version_missing", id="nothing"),
        pytest.param('W/"3"', 412, "version_is_stale", id="a weak tag matches nothing"),
        pytest.param('"3", "4"', 412, "version_is_stale", id="several"),
        pytest.param('"abc"', 412, "version_is_stale", id="a tag that we never gave"),
        pytest.param('"0"', 412, "version_is_stale", id="a version that nothing ever has"),
        pytest.param(f'"{10**30}"', 412, "version_is_stale", id="a huge one"),
        pytest.param("3", 400, "bad_if_match", id="no tag at all"),
        pytest.param('"3', 400, "bad_if_match", id="half a tag"),
    ],
)
async def test_w9_a_change_or_removal_is_bound_to_a_version(door, unread, offer, if_match, status, code):
    headers = {} if if_match is None else {"If-Match": if_match}
    answer = await door.request(**asking(offer, headers=headers))
    assert (answer.status_code, answer.json()["code"], unread.calls) == (status, code, [])


@pytest.mark.parametrize(("if_match", "version"), [('"7"', 7), (' "7" ', 7), ("*", None)])
async def test_the_version_travels_with_the_command(door, unread, if_match, version):
    await door.patch(TICKET, json={"owner": ""}, headers={"If-Match": if_match})
    await door.delete(TICKET, params={"reason": "spam"}, headers={"If-Match": if_match})
    changed, deleted = (command for command, _, _ in unread.calls)
    assert changed == of_tickets.ChangeTicket(ticket_id=TicketId(ID), owner="", version=version)
    assert deleted == of_tickets.DeleteTicket(ticket_id=TicketId(ID), reason="spam", version=version)


async def test_who_saw_an_older_version_is_told_so(door, unread):
    stale = Problem(code="version_is_stale", sentence="TKT-7 is at version 9.", details={"version": 9})
    unread.answer = lambda command: Answered(ok=False, error=stale)
    answer = await door.patch(TICKET, json={"title": "x"}, headers={"If-Match": '"3"'})
    assert (answer.status_code, answer.json()["details"]) == (412, {"version": 9})
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_version_that_nobody_would_look_at_is_refused(door, unread):
    for path, body in ((f"{TICKET}/solve", BODIES["solve_ticket"]), ("/api/tickets", {"title": "x"})):
        answer = await door.post(path, json=body, headers={"If-Match": '"3"'})
        assert (answer.status_code, answer.json()["code"], unread.calls) == (400, "no_precondition", [])


@pytest.mark.parametrize("reason", [None, "", "x" * 501])
async def test_w9_nothing_is_deleted_without_a_reason(door, unread, reason):
    params = {} if reason is None else {"reason": reason}
    answer = await door.delete(TICKET, params=params, headers={"If-Match": "*"})
    assert (answer.status_code, unread.calls) == (400, [])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param(f"{TICKET}/solve", {"category": "magic"}, id="W6: no such category"),
        pytest.param(f"{TICKET}/solve", {"category": "defect", "ticket_id": str(OTHER)}, id="another's id"),
        pytest.param(f"{TICKET}/tasks/2", {"how": "done", "number": 3}, id="another number"),
        pytest.param(f"{ISSUE}/blocks/{OTHER}", {"to": str(ID)}, id="another end"),
        pytest.param("/api/tickets", {"title": ""}, id="no title"),
        pytest.param("/api/tickets", {"title": "a\nb"}, id="two lines of title"),
        pytest.param(f"{TICKET}/hold", {"waits": [WAIT | {"admin": True}]}, id="unknown, deep inside"),
        pytest.param("/api/tickets", {"title": "a", "requester": CONTACT}, id="W5: who asks the CRM says"),
        pytest.param("/api/tickets", {"title": "a", "account": {"id": str(ID), "name": "Evil"}}, id="W5: and for whom"),
        pytest.param("/api/tickets", {"title": "a", "contact": "c@" + "x" * 320}, id="a contact too long"),
        pytest.param("/api/tickets", {"title": "a", "contact": {"id": str(ID)}}, id="a contact that is no name"),
        pytest.param("/api/tickets", {"title": "a", "contact": ""}, id="a contact of no letters"),
        pytest.param("/api/tickets", {"title": "a", "conversation": "CONV-12"}, id="W2: a conversation nobody asked"),
        pytest.param("/api/tickets", {"title": "a", "messages": [str(OTHER)]}, id="W2: messages of no conversation"),
        pytest.param(f"{ISSUE}/move", {"stage": "backlog", "version": 3}, id="a version in a body"),
        pytest.param("/api/parts", {"name": "a", "kind": "product", "part_id": str(ID)}, id="a new part has no id"),
        pytest.param("/api/parts", {"name": "a", "kind": "product", "version": 1}, id="a new part has no version"),
        pytest.param(f"{ISSUE}/publish", {"link": "javascript:alert(1)", "reveals": "no"}, id="a link that runs"),
        pytest.param("/api/issues", {"title": "a", "tickets": [str(ID)] * 101}, id="too many tickets"),
    ],
)
async def test_what_can_never_be_is_422(door, unread, path, body):
    answer = await door.post(path, json=body)
    assert (answer.status_code, answer.json()["code"], unread.calls) == (422, "invalid", [])


def finding(number):
    """Ticketing, which knows one object, by this number."""

    def answer(command):
        if isinstance(command, of_tickets.FindTicket | of_issues.FindIssue | of_parts.FindPart):
            kind = command.NAME.removeprefix("find_")
            if command.number == number:
                return Answered(ok=True, result={kind: {"id": str(OTHER), "number": number}, "text": ""})
            problem = Problem(code=f"{kind}_not_found", sentence=f"There is no {kind} of that number.")
            return Answered(ok=False, error=problem)
        return Answered(ok=True, result={})

    return answer


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/tickets/tkt-7/cancel", "ticket_id"), ("/api/issues/ISS-7/accept", "issue_id"),
        ("/api/parts/PART-7/restore", "part_id"),
    ],
)  # fmt: skip
async def test_objects_are_named_as_people_name_them(door, unread, path, field):
    unread.answer = finding(7)
    answer = await door.post(path, json=BODIES["cancel_ticket"] if "cancel" in path else {})
    assert answer.status_code == 200, answer.text
    assert getattr(unread.calls[1][0], field) == OTHER


async def test_both_ends_of_a_link_are_named(door, unread):
    unread.answer = finding(7)
    path = "/api/issues/ISS-7/blocks/ISS-7"
    assert (await door.delete(f"{path}?reason=no", headers={"If-Match": "*"})).status_code == 200
    wanted = of_issues.UnrelateIssue(issue_id=OTHER, kind="blocks", to=OTHER, reason="no")
    assert unread.calls[-1][0] == wanted


@pytest.mark.parametrize(
    "named", ["TKT-8", "TKT-0", "TKT-99999999999999999", "ISS-7", "7", "TKT-7x", "' OR 1=1", "%00"]
)
async def test_what_names_no_ticket_is_404(door, unread, named):
    unread.answer = finding(7)
    for answer in (await door.get(f"/api/tickets/{named}/chain"), await door.post(f"/api/tickets/{named}/restore")):
        if named == "TKT-8" and answer.request.method == "GET":
            continue  # The chain is asked by number, and its owner says no.
        assert (answer.status_code, answer.json()["code"]) == (404, "ticket_not_found")


async def test_p12_the_same_key_is_passed_on(door, unread):
    for _ in range(2):
        await door.post("/api/tickets", json={"title": "It crashes"}, headers={"Idempotency-Key": "k-1"})
    assert [key for _, key, _ in unread.calls] == ["anna:k-1", "anna:k-1"]


PREFILL = {
    "title": "Two things", "text": "It crashes.", "requester": CONTACT, "account": None, "workspace": None,
    "channel": "email", "conversation": {"id": str(ID), "number": 12, "channel": "email"}, "messages": [str(OTHER)],
}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "title", "text"),
    [
        pytest.param({}, "Two things", "It crashes.", id="W2: prefilled"),
        pytest.param({"title": "Crash", "messages": [str(OTHER)]}, "Crash", "It crashes.", id="W2: with another title"),
    ],
)
async def test_a_ticket_is_opened_from_a_conversation(door, unread, body, title, text):
    def answer(command):
        return Answered(ok=True, result={"prefill": PREFILL} if isinstance(command, PrefillTicket) else {})

    unread.answer = answer
    asked = await door.post(f"/api/conversations/{ID}/tickets", json=body, headers={"Idempotency-Key": "k"})
    assert asked.status_code == 201
    (prefill, _, _), (command, key, _) = unread.calls
    assert prefill == PrefillTicket(conversation_id=ID, messages=tuple(map(UUID, body.get("messages", ()))))
    assert (command.title, command.text, command.channel, key) == (title, text, "email", "anna:k")
    assert (command.conversation.number, command.requester.name, command.messages) == (12, "Carla", (OTHER,))


async def test_whose_conversation_it_is_nobody_else_says(door, unread):
    unread.answer = lambda command: Answered(ok=True, result={"prefill": PREFILL})
    for field in ("requester", "conversation", "channel", "account"):
        answer = await door.post(f"/api/conversations/{ID}/tickets", json={field: PREFILL[field]})
        assert answer.status_code == 422, field
    assert {type(command) for command, _, _ in unread.calls} == {PrefillTicket}


async def test_issues_are_narrowed_down_by_what_ticketing_is_asked(door, unread):
    query = f"severity=high&security=yes&linked=false&account={OTHER}&unowned=true&open=true&sort=weight"
    await door.get(f"/api/issues?{query}")
    ((command, _, _),) = unread.calls
    assert command == of_issues.ListIssues(
        severity="high", security="yes", linked=False, account_id=OTHER, owner="", open=True, sort="weight"
    )


@pytest.mark.parametrize(
    "path",
    [
        "/api/issues?sort=title", "/api/issues?limit=1000000", "/api/issues?skip=-1", "/api/issues?strange=1",
        "/api/issues?severity=dire", "/api/issues?security=maybe", "/api/issues?account=acme", "/api/issues?linked=2",
        "/api/issues?owner=anna&unowned=true",
        "/api/parts?limit=0", "/api/contacts/carla/tickets", f"/api/contacts/{ID}/tickets?before=0",
        "/api/accounts/acme/chain", "/api/tickets/TKT-7/chain?limit=101", f"/api/issues/{ID}/likes/{ID}",
    ],
)  # fmt: skip
async def test_a_question_that_cannot_be_is_an_error_of_the_asker(door, unread, path):
    answer = await (door.post(path) if "likes" in path else door.get(path))
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert unread.calls == []

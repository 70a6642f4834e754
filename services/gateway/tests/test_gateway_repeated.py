"""P12: what tells a repeated request from another one, whatever is looked up for it meanwhile."""

from typing import Any
from uuid import UUID

import pytest

from deskstream.contracts import Answered

ID = UUID(int=7)
FROM = f"/api/conversations/{ID}/tickets"
PREFILL: dict[str, Any] = {
    "title": "Two things", "text": "It crashes.", "requester": None, "account": None, "workspace": None,
    "channel": "email", "conversation": {"id": str(ID), "number": 12, "channel": "email"}, "messages": [],
}  # fmt: skip


async def test_a_ticket_out_of_a_conversation_that_changed_meanwhile_is_the_same_request(door, unread):
    for title in ("Two things", "Two things, and a third"):
        answered = Answered(ok=True, result={"prefill": PREFILL | {"title": title}})
        unread.answer = lambda _, answered=answered: answered
        assert (await door.post(FROM, json={"severity": "high"}, headers={"Idempotency-Key": "k"})).is_success
    first, _, second = (command for command, key, _ in unread.calls[1:])
    assert first.title != second.title
    assert len(unread.digests) == 2
    assert len(set(unread.digests)) == 1


CHANGE: dict[str, Any] = {
    "method": "PATCH", "url": f"/api/tickets/{ID}", "json": {"severity": "high"},
    "headers": {"Idempotency-Key": "k", "If-Match": '"2"'},
}  # fmt: skip
DELETION = CHANGE | {"method": "DELETE", "json": None, "params": {"reason": "old"}}


@pytest.mark.parametrize(
    ("request_", "other"),
    [
        pytest.param(CHANGE, {"url": f"/api/tickets/{UUID(int=8)}"}, id="of another ticket"),
        pytest.param(CHANGE, {"json": {"severity": "low"}}, id="of something else"),
        pytest.param(CHANGE, {"headers": {"Idempotency-Key": "k", "If-Match": '"3"'}}, id="of another version"),
        pytest.param(CHANGE, DELETION, id="by another method"),
        pytest.param(DELETION, {"params": {"reason": "filed twice"}}, id="for another reason"),
    ],
)
async def test_another_request_has_another_digest(door, unread, request_, other):
    for one in (request_, request_, request_ | other):
        await door.request(**one)
    same, again, another = unread.digests
    assert same == again != another

"""W9: an issue that is filed to be linked: what becomes of it when the link cannot be made."""

from uuid import UUID

import pytest

from deskstream.contracts import Answered, Problem
from deskstream.contracts.issues import DeleteIssue, FileIssue, FindIssue

OLD, NEW = UUID(int=7), UUID(int=8)
ISSUE = {"number": 7, "version": 1, "deleted": None}


@pytest.mark.parametrize(
    ("code", "status", "undone"),
    [
        pytest.param("issues_block_each_other", 409, True, id="refused: the new one does not stay behind"),
        pytest.param("unavailable", 503, False, id="nobody there: the same request goes on from here"),
    ],
)
async def test_an_issue_whose_link_fails(door, unread, code, status, undone):
    def answer(command):
        if isinstance(command, FileIssue | FindIssue):
            return Answered(ok=True, result={"issue": ISSUE | {"id": str(NEW if command.NAME[:4] == "file" else OLD)}})
        if isinstance(command, DeleteIssue):
            return Answered(ok=True, result={})
        return Answered(ok=False, error=Problem(code=code, sentence="No."))

    unread.answer = answer
    answered = await door.post(f"/api/issues/{OLD}/blocks", json={"title": "Second"}, headers={"Idempotency-Key": "k"})
    assert (answered.status_code, answered.json()["code"]) == (status, code)
    deleted = [(command.issue_id, key) for command, key, _ in unread.calls if isinstance(command, DeleteIssue)]
    assert deleted == ([(NEW, "anna:k:undo")] if undone else [])

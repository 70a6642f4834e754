"""Bad bulk actions over HTTP (W9): refused as a whole before anything is done."""

from uuid import UUID

import pytest

from deskstream.contracts import Answered
from deskstream.contracts.part_commands import DeletePart

ID, OTHER = UUID(int=7), UUID(int=8)
ROW = {"name": str(ID)}
DELETE = {"action": "delete", "fields": {"reason": "spam"}, "rows": [ROW]}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param("tickets", {}, id="nothing"),
        pytest.param("tickets", DELETE | {"rows": []}, id="no rows"),
        pytest.param("tickets", DELETE | {"rows": [{"name": f"TKT-{n}"} for n in range(1, 102)]}, id="too many rows"),
        pytest.param("tickets", DELETE | {"rows": [ROW, ROW]}, id="a row twice"),
        pytest.param("tickets", DELETE | {"rows": [{"name": "TKT-7"}, {"name": "tkt-7"}]}, id="a row twice by name"),
        pytest.param("tickets", DELETE | {"rows": [{"name": "x" * 65}]}, id="a huge name"),
        pytest.param("tickets", DELETE | {"rows": [ROW | {"version": 0}]}, id="a version that nothing has"),
        pytest.param("tickets", DELETE | {"rows": [ROW | {"admin": True}]}, id="an unknown field of a row"),
        pytest.param("tickets", DELETE | {"fields": {}}, id="deleting without a reason"),
        pytest.param("tickets", DELETE | {"fields": {"reason": "x" * 501}}, id="a huge reason"),
        pytest.param("tickets", DELETE | {"action": "move"}, id="an action of issues"),
        pytest.param("tickets", DELETE | {"action": "__class__"}, id="no action"),
        pytest.param("tickets", DELETE | {"action": "solve", "fields": {}}, id="W3: what cannot be taken back"),
        pytest.param("tickets", {"action": "change", "fields": {"ticket_id": str(OTHER)}, "rows": [ROW]}, id="an id"),
        pytest.param("tickets", {"action": "change", "fields": {"title": "All"}, "rows": [ROW]}, id="one title"),
        pytest.param(
            "issues",
            {"action": "move", "rows": [ROW | {"name": "ISS-1"}, ROW | {"fields": {"stage": 7}}]},
            id="one row of two wrong",
        ),
        pytest.param("parts", {"action": "change", "fields": {"owner": "anna"}, "rows": [ROW]}, id="not of parts"),
    ],
)  # fmt: skip
async def test_w9_what_can_never_be_is_422_and_nothing_is_done(door, unread, kind, body):
    answer = await door.post(f"/api/{kind}/bulk", json=body)
    assert (answer.status_code, answer.json()["code"], unread.calls) == (422, "invalid", [])


async def test_w9_a_row_that_does_not_answer_is_told_and_holds_up_no_other(door, unread):
    def answer(command):
        if command.part_id == ID:
            raise TimeoutError
        return Answered(ok=True, result={"part": {"version": 4}})

    unread.answer = answer
    found = (await door.post("/api/parts/bulk", json=DELETE | {"rows": [ROW, {"name": str(OTHER)}]})).json()
    assert [row.get("problem", {}).get("code") for row in found["rows"]] == ["unavailable", None]
    assert found["undo"] == {"action": "restore", "fields": {}, "rows": [{"name": str(OTHER)}]}


async def test_w9_each_row_has_a_key_of_its_own_that_follows_from_the_request(door, unread):
    unread.answer = lambda command: Answered(ok=True, result={"part": {"version": 4}})
    body = DELETE | {"rows": [ROW | {"version": 3}, {"name": str(OTHER)}]}
    for _ in range(2):
        await door.post("/api/parts/bulk", json=body, headers={"Idempotency-Key": "k" * 128})
    (first, second, *again) = [(command, key) for command, key, _ in unread.calls]
    assert again == [first, second]
    assert first[1] != second[1]
    assert max(len(first[1]), len(second[1])) <= 200
    assert first[0] == DeletePart(part_id=ID, reason="spam", version=3)

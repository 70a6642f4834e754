import json

import pytest

ROW = """
INSERT INTO waiting
    (lane, key, seq, message_id, subject, type, body, state, reason, handler, stack, tries, next_at, since)
VALUES ('events.ingest', $1, $2, $3, 'events.ingest.message_received.' || $1, 'deskstream.ingest.message_received',
        $4, $5, $6, 'crm: message_received', 'Traceback: it broke', 8, now(), now() - interval '1 hour')
"""
FIRST, SECOND = "3f2a91c0-0000-4000-8000-000000000001", "3f2a91c0-0000-4000-8000-000000000002"
BODY = json.dumps({"type": "x", "data": {"text": "Hello \x1b[31m"}}).encode()


@pytest.fixture
async def crm(pool_for):
    return Crm(await pool_for("crm"))


class Crm:
    """The service's tables."""

    def __init__(self, pool):
        self.fetch, self.fetchrow, self.fetchval, self.execute = pool.fetch, pool.fetchrow, pool.fetchval, pool.execute

    async def insert(self, key, seq, identity, *, state="dead", reason="RuntimeError: broken", body=BODY):
        await self.execute(ROW, key, seq, identity, body, state, reason)


async def test_o4_without_any_the_list_says_so(deskstream):
    said = await deskstream("dead-letters", "list")
    assert said.code == 0
    assert "No dead letters" in said.out
    assert (await deskstream("dead-letters", "list", "--json")).json == {"dead_letters": []}


async def test_o4_the_list_has_name_state_reason_and_what_waits_behind(deskstream, crm):
    await crm.insert("a", 1, FIRST)
    await crm.insert("a", 2, SECOND, state="behind")
    said = await deskstream("dead-letters", "list")
    for part in ("crm/3f2a91c0", "dead", "message_received", "RuntimeError: broken"):
        assert part in said.out
    (one,) = (await deskstream("dead-letters", "list", "--json")).json["dead_letters"]
    assert (one["name"], one["behind"], one["tries"], one["next_at"]) == ("crm/3f2a91c0", 1, 8, None)


async def test_o4_one_is_shown_with_message_handler_and_stack_and_nothing_acts_on_the_terminal(deskstream, crm):
    await crm.insert("a", 1, FIRST)
    said = await deskstream("dead-letters", "show", "crm/3f2a91c0")
    for part in (FIRST, "crm: message_received", "Traceback: it broke", "Hello"):
        assert part in said.out
    assert "\x1b" not in said.out
    shown = (await deskstream("dead-letters", "show", FIRST, "--json")).json
    assert shown["message"]["data"] == {"text": "Hello \x1b[31m"}


async def test_a_body_that_is_no_json_is_shown_as_it_is(deskstream, crm):
    await crm.insert("a", 0, FIRST, body=b"\xff\xfe not json")
    said = await deskstream("dead-letters", "show", "crm/3f2a91c0")
    assert said.code == 0
    assert "not json" in said.out


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        pytest.param("crm/00000000", 1, "There is no dead letter", id="one that is gone"),
        pytest.param("nobody/3f2a91c0", 2, "There is no service nobody", id="a service that there is not"),
        pytest.param("3f2", 2, "names no dead letter", id="too short"),
        pytest.param("crm/'; DROP TABLE waiting", 2, "names no dead letter", id="something else"),
        pytest.param("crm/3f2a91c0", 2, "means several", id="several at once"),
    ],
)
async def test_names_that_mean_none_or_several(deskstream, crm, name, code, told):
    await crm.insert("a", 1, FIRST)
    await crm.insert("b", 1, SECOND)
    said = await deskstream("dead-letters", "show", name)
    assert said.code == code
    assert told in said.err


async def test_o4_retry_by_name_sets_tries_to_0_and_due_now(deskstream, crm):
    await crm.insert("a", 1, FIRST)
    said = await deskstream("dead-letters", "retry", "crm/3f2a91c0")
    assert said.code == 0
    row = await crm.fetchrow("SELECT state, tries, next_at <= now() AS due FROM waiting")
    assert tuple(row) == ("failed", 0, True)


async def test_retry_all_that_match(deskstream, crm):
    await crm.insert("a", 1, FIRST, reason="ValueError: a")
    await crm.insert("b", 1, SECOND, reason="KeyError: b")
    dry = await deskstream("dead-letters", "retry", "--all", "--reason", "keyerror", "--dry-run", "--json")
    assert [one["name"] for one in dry.json["messages"]] == ["crm/3f2a91c0"]
    assert await crm.fetchval("SELECT count(*) FROM waiting WHERE state = 'dead'") == 2
    await deskstream("dead-letters", "retry", "--all", "--reason", "keyerror")
    assert await crm.fetchval("SELECT key FROM waiting WHERE state = 'failed'") == "b"


async def test_o4_drop_writes_author_and_reason_and_advances(deskstream, crm):
    await crm.insert("a", 1, FIRST)
    await crm.insert("a", 2, SECOND)
    names = [f"crm/{SECOND}", f"crm/{FIRST}"]
    dry = await deskstream("dead-letters", "drop", *names, "--reason", "a test mail", "--dry-run")
    assert "Would drop 2 messages" in dry.out
    assert await crm.fetchval("SELECT count(*) FROM waiting") == 2
    assert await crm.fetchval("SELECT count(*) FROM dropped") == 0
    said = await deskstream("dead-letters", "drop", *names, "--reason", "a test mail", "--author", "anna")
    assert said.code == 0
    assert "Dropped 2 messages" in said.out
    rows = await crm.fetch("SELECT seq, author, reason FROM dropped ORDER BY at")
    assert [tuple(row) for row in rows] == [(1, "anna", "a test mail"), (2, "anna", "a test mail")]
    assert await crm.fetchval("SELECT seq FROM progress") == 2


async def test_what_cannot_be_dropped_is_left_alone_and_said(deskstream, crm):
    await crm.insert("a", 3, FIRST)
    dry = await deskstream("dead-letters", "drop", FIRST, "--reason", "x", "--dry-run")
    assert (dry.code, "was left alone" in dry.out, "Would drop" in dry.out) == (1, True, False)
    said = await deskstream("dead-letters", "drop", FIRST, "--reason", "x")
    assert said.code == 1
    assert "was left alone" in said.out
    assert await crm.fetchval("SELECT count(*) FROM waiting") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["retry"], id="retry of nothing"),
        pytest.param(["retry", FIRST, "--all"], id="one and all"),
        pytest.param(["drop", FIRST], id="drop without a reason"),
        pytest.param(["drop", FIRST, "--reason", "  "], id="drop for a reason of spaces"),
        pytest.param(["drop", "--reason", "x"], id="drop of nothing"),
        pytest.param(["list", "--limit", "0"], id="no rows"),
        pytest.param(["show"], id="show of nothing"),
    ],
)
def test_misuse(nowhere, arguments):
    assert nowhere.now("dead-letters", *arguments).code == 2

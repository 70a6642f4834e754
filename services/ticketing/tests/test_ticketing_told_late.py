"""What was kept before a lane existed reaches the lane's readers: once, by a migration that wakes it."""

from dataclasses import replace
from importlib.resources import files

import pytest

from deskstream.contracts import confidential
from deskstream.contracts.chain_facts import Tombstone
from deskstream.contracts.envelope import decode
from deskstream.contracts.issues import MarkSecurity
from deskstream.contracts.parts import LANE as PARTS
from deskstream.contracts.parts import PartStaffed
from deskstream.testkit.desk import desk as running
from deskstream.testkit.eventually import eventually
from deskstream.ticketing.app import SERVICE
from deskstream.ticketing.domain.part import Part
from deskstream.ticketing.store import issues, parts
from services.ticketing.tests.given import ANNA, MORNING, Desk, made_part
from services.ticketing.tests.running import OTHERS

LINK = "https://code.example/31"
WAKE = (files("deskstream.ticketing") / "migrations" / "0005_told_late.sql").read_text("utf-8")
SAID = "SELECT body FROM journal WHERE lane = $1 ORDER BY id"
LEFT = "SELECT (SELECT count(*) FROM timers) + (SELECT count(*) FROM unpublished) + (SELECT count(*) FROM waiting)"

pytestmark = pytest.mark.slow


async def said(pool, lane, kind):
    return [decode(kind, row["body"]).data for row in await pool.fetch(SAID, lane)]


async def told(pool):
    """What both lanes say, once nothing is to be said any more."""

    async def nothing_is_left():
        return await pool.fetchval(LEFT) == 0

    await eventually(nothing_is_left, within=20)
    return (
        await said(pool, confidential.LANE, confidential.ConfidentialityChanged),
        await said(pool, PARTS, PartStaffed),
    )


async def test_w12_w14_what_is_older_than_a_lane_is_told_there_once(database, nats_url):
    desk = Desk()
    secret, held, plain = desk.file(security="yes"), desk.file(security="unsure"), desk.file()
    kept = {one: desk.issue(one) for one in (secret, held, plain)}
    kept[secret] = replace(kept[secret], withheld=(LINK,))
    shop = made_part(number=901, owners=(ANNA,))
    gone = made_part(number=902, deleted=Tombstone(at=MORNING, by=ANNA, reason="sold"))
    async with running([SERVICE, OTHERS], database, nats_url) as services:
        pool = services["ticketing"].pool
        async with pool.acquire() as tx, tx.transaction():
            await parts.save(tx, [Part(shop), Part(gone)])
            await issues.save(tx, list(kept.values()))
        assert await told(pool) == ([], [])
        await pool.execute(WAKE)
        secrets, staffed = await told(pool)
        assert {one.issue_id: (one.number, one.confidential, one.links) for one in secrets} == {
            secret: (kept[secret].facts.number, True, (confidential.link_name(LINK),)),
            held: (kept[held].facts.number, True, ()),
        }
        assert [one.after for one in staffed] == [shop]
        await pool.execute(WAKE)
        assert await told(pool) == (secrets, staffed)
        again = MarkSecurity(issue_id=secret, security="no", reason="it was harmless")
        assert (await services["ticketing"].call(again, actor="anna")).ok
        await pool.execute(WAKE)
        assert [one.confidential for one in (await told(pool))[0]] == [True, True, False]


async def test_a_desk_that_is_new_wakes_nothing(pool_for):
    pool = await pool_for("ticketing")
    assert await pool.fetchval("SELECT count(*) FROM timers") == 0

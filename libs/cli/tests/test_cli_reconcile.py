"""P4 by hand: `deskstream reconcile` shows three lists, and mends with --apply."""

import asyncio
import re
from uuid import uuid4

import asyncpg
import nats
import pytest

from libs.cli.tests import desks

LANE, STREAM = "events.crm", "EVENTS_CRM"
BODY = (
    '{"specversion":"1.0","id":"%s","type":"deskstream.crm.thing","subject":"%s","time":"2026-05-04T09:00:00+00:00",'
    '"sequence":"%s","correlationid":"%s","causationid":"%s","data":{}}'
)


def event(key, sequence):
    """(id, headers, body) of something that crm says."""
    identity = str(uuid4())
    body = BODY % (identity, key, sequence, identity, identity)
    return identity, {"ce-id": identity, "ce-type": "deskstream.crm.thing", "ce-sequence": str(sequence)}, body


async def journaled(connection, key, sequence):
    identity, headers, body = event(key, sequence)
    await connection.execute(
        "INSERT INTO crm.journal (message_id, lane, key, seq, subject, type, correlation, causation, at, body) "
        "VALUES ($1, $2, $3, $4, $5, 'deskstream.crm.thing', $1, $1, now() - interval '1 minute', $6)",
        identity, LANE, key, sequence, f"{LANE}.thing.{key}", body,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO crm.heads VALUES ($1, $2, $3) ON CONFLICT (lane, key) DO UPDATE SET seq = $3", LANE, key, sequence
    )
    return headers, body


async def published(client, key, headers, body):
    await client.jetstream().publish(
        f"{LANE}.thing.{key}", body.encode(), headers={**headers, "Nats-Msg-Id": headers["ce-id"]}
    )


@pytest.fixture
async def provisioned(deskstream):
    assert (await deskstream("provision")).code == 0
    return deskstream


async def test_without_streams_it_says_what_to_do_first(deskstream):
    said = await deskstream("reconcile")
    assert said.code == 1
    assert "run `deskstream provision` first" in said.err


async def test_an_unknown_service_is_named(deskstream):
    said = await deskstream("reconcile", "crmm")
    assert said.code == 2
    assert "no service crmm" in said.err


async def test_what_fits_is_told_in_a_line(provisioned):
    said = await provisioned("reconcile")
    assert said.code == 0
    assert "streams and journals fit." in said.out


async def test_p4_three_lists_are_shown_nothing_changes_and_apply_mends(provisioned, database, nats_url):
    connection, client = await asyncpg.connect(database), await nats.connect(nats_url)
    both = await journaled(connection, "both", 1)
    await published(client, "both", *both)
    await journaled(connection, "lost-in-stream", 1)
    _, headers, body = event("lost-in-journal", 2)
    await published(client, "lost-in-journal", headers, body)
    await journaled(connection, "twice", 1)
    await published(client, "twice", *event("twice", 1)[1:])

    for _ in range(2):
        said = await provisioned("reconcile", "crm", "--json")
        assert said.code == 1
        [lane] = said.json["lanes"]
        assert lane["lane"] == LANE
        assert {one["key"] for one in lane["missing_in_stream"]["first"]} == {"lost-in-stream", "twice"}
        assert [(one["key"], one["number"]) for one in lane["missing_in_journal"]["first"]] == [("lost-in-journal", 2)]
        assert [one["key"] for one in lane["given_twice"]["first"]] == ["twice"]
    shown = await provisioned("reconcile")
    assert "deskstream reconcile --apply" in shown.err

    mended = await provisioned("reconcile", "crm", "--apply", "--json")
    assert mended.code == 1, "a number that was given twice stays, and is told"
    [lane] = mended.json["lanes"]
    assert (lane["published_again"], lane["journaled_again"], lane["numbers_lost"]) == (2, 1, 1)
    rows = await connection.fetch("SELECT seq, type FROM crm.journal WHERE key = 'lost-in-journal' ORDER BY seq")
    assert [tuple(row) for row in rows] == [(1, "deskstream.number_lost"), (2, "deskstream.crm.thing")]
    assert await connection.fetchval("SELECT seq FROM crm.heads WHERE key = 'lost-in-journal'") == 2
    assert await connection.fetchval("SELECT count(*) FROM crm.unpublished") == 0
    again = (await provisioned("reconcile", "crm", "--json")).json["lanes"][0]
    assert again["missing_in_stream"]["number"] == again["missing_in_journal"]["number"] == 0
    await client.close()
    await connection.close()


MANY = 10_000
FIT = f"The stream and the journal of {LANE} fit."
JOURNAL_MANY = """
INSERT INTO crm.journal (message_id, lane, key, seq, subject, type, correlation, causation, at, body)
SELECT gen_random_uuid(), $1, 'key-' || n % 100, n / 100 + 1, $1 || '.thing.key-' || n % 100, 'deskstream.crm.thing',
       gen_random_uuid(), gen_random_uuid(), now() - interval '1 minute',
       format('{"specversion":"1.0","type":"deskstream.crm.thing","sequence":"%s","data":{}}', n / 100 + 1)
FROM generate_series(0, $2 - 1) n
"""


def counted(shown, what):
    """How far it was, each time the terminal was told: `comparing events.crm ━━━ 3000/10000`."""
    return [int(found) for found in re.findall(rf"{re.escape(what)}\W[^\r\n]*?(\d+)/{MANY}\b", shown)]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_p4_long_work_tells_a_terminal_how_far_it_is_and_a_pipe_nothing(provisioned, database, tmp_path):
    connection = await asyncpg.connect(database)
    await connection.execute(JOURNAL_MANY, LANE, MANY)
    await connection.close()
    told = {name: value for name, value in provisioned.environment.items() if value is not None}

    code, shown = await asyncio.to_thread(
        desks.on_terminal, tmp_path, "reconcile", "crm", "--apply", env=told, columns=100
    )
    assert code == 0
    assert f"{MANY:,} events published again" in shown
    grows_to_the_end(counted(shown, "publishing crm"))

    code, shown = await asyncio.to_thread(desks.on_terminal, tmp_path, "reconcile", "crm", env=told, columns=100)
    assert code == 0
    assert shown.endswith(f"\x1b[2K{FIT}\r\n"), "the bar is gone when it is done"
    grows_to_the_end(counted(shown, f"comparing {LANE}"))

    piped = await asyncio.to_thread(desks.deskstream, tmp_path, "reconcile", "crm", env=told)
    assert (piped.returncode, piped.stderr) == (0, b"")
    assert piped.stdout.decode() == f"{FIT}\n"


def grows_to_the_end(counts):
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, MANY)
    assert len(set(counts)) > 2, "told between its beginning and its end, too"

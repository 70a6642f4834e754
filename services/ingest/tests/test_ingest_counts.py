"""What ingest counts: by channel, for monitoring, and against what waits."""

from structlog.testing import capture_logs

from deskstream.contracts.ingest import ChannelCounts
from deskstream.ingest import handlers, store
from services.ingest.tests.mails import archive, mail, raw, report


async def test_counts_add_up_per_channel(hear, pool):
    await hear(mail("1"), mail("1"), mail("2"), mail("1", text="other"), report(), mail("1", channel="slack"))
    await hear(raw(b""), raw(b"", subject="inbound.x"), mail("1"))
    counts = (await store.counts(pool)).channels
    assert counts == {
        "": ChannelCounts(received=1, rejected=1),
        "email": ChannelCounts(received=7, applied=3, duplicate=2, rejected=2),
        "slack": ChannelCounts(received=1, applied=1),
    }
    assert sum(one.received for one in counts.values()) == len(await archive(pool))


WAITS = """
INSERT INTO waiting (lane, key, seq, message_id, subject, type, body, state, next_at, since)
VALUES ('inbound.email', 'k', 0, gen_random_uuid(), 'inbound.email.support', 'raw', '', $1, now(), now())
"""
DROPPED = """
INSERT INTO dropped (lane, key, seq, message_id, body, author, reason, at)
VALUES ('inbound.sms', 'k', 0, gen_random_uuid(), '', 'anna', 'unreadable', now())
"""


async def test_p7_what_waits_is_dead_or_was_dropped_was_received_too(hear, pool):
    await hear(mail("1"), mail("1"))
    for state in ("dead", "failed", "trying"):
        await pool.execute(WAITS, state)
    await pool.execute(DROPPED)
    assert (await store.counts(pool)).channels == {
        "email": ChannelCounts(received=5, applied=1, duplicate=1, dead=1, waiting=2),
        "sms": ChannelCounts(received=1, dropped=1),
    }


def alarms(figures):
    return {one.labels["channel"]: one.value for one in figures if one.name == "inbound_reused_ids"}


async def test_an_id_with_another_content_is_an_alarm_and_a_double_is_none(hear, pool):
    with capture_logs() as logged:
        await hear(mail("1"), mail("1"), mail("2"), raw(b"", subject="inbound.sms.x"))
        assert alarms(await handlers.figures(pool)) == {"email": 0, "sms": 0}
        assert logged == []
        await hear(mail("1", text="other"), mail("1", text="still another"), mail("1"))
    assert alarms(await handlers.figures(pool)) == {"email": 2, "sms": 0}
    assert [(line["log_level"], line["event"], line["channel"]) for line in logged] == [
        ("warning", "external_id_reused", "email")
    ] * 2


async def test_o5_monitoring_sees_the_channels_and_not_a_series_for_each_that_a_stranger_names(hear, pool):
    await hear(mail("1"), mail("2"), mail("1"), *(mail("1", channel=f"made{n}") for n in range(60)))
    figures = await handlers.figures(pool)
    seen = {(one.labels["channel"], one.labels["fate"]): one.value for one in figures if one.name == "inbound"}
    assert (seen["email", "applied"], seen["email", "duplicate"]) == (2, 1)
    assert seen["other", "applied"] == 11
    assert len({channel for channel, _ in seen}) == len(alarms(figures)) == 51


async def test_nothing_was_counted_yet(pool):
    assert (await store.counts(pool)).channels == {}

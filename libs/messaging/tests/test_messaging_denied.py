"""P14, P20: what the broker denies is loud, and makes the service unready; it goes on when it is allowed again."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from deskstream.messaging.connection import client_of, denied_subject
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.testkit.identities import admit
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count


async def problem_of(service):
    return await service.problem()


@pytest.mark.slow
async def test_p14_a_denied_publish_is_logged_with_its_subject_and_unready_and_published_later(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        counting, summing = services["counting"], services["summing"]
        with capture_logs() as logged:
            admit(nats_url, [replace(COUNTING, says=())])
            assert (await summing.call(Count(counter="a", times=30))).ok
            problem = await eventually(lambda: problem_of(counting), within=5)
            # Where something else was denied just before, the next line comes a second later.
            told = await eventually(lambda: denials(logged), within=15)
        assert str(problem).startswith("permissions: ")
        assert "events.counting.counted.a" in str(problem)
        assert (told[0]["subject"], told[0]["service"]) == ("events.counting.counted.a", "counting")
        assert "deskstream provision --permissions" in told[0]["mend"]
        assert len(told) <= 3
        assert await counting.pool.fetchval("SELECT count(*) FROM unpublished") == 30
        admit(nats_url, [COUNTING])
        await eventually(lambda: summed(summing.pool), within=20, what="everything heard")


def denials(logged):
    return [line for line in logged if line["event"] == "denied_by_broker"]


async def summed(pool):
    return await pool.fetchval("SELECT total FROM counters WHERE id = 'a'") == 30


FORGED = [
    pytest.param("$JS.ACK.EVENTS_COUNTING.other.1.1.1.1767225600000000000.0", id="an acknowledgement for another"),
    pytest.param("$JS.API.CONSUMER.MSG.NEXT.EVENTS_COUNTING.other", id="a pull of what another hears"),
    pytest.param("$JS.API.STREAM.MSG.DELETE.EVENTS_COUNTING", id="deleting a message"),
    pytest.param("$JS.API.STREAM.DELETE.EVENTS_COUNTING", id="deleting a stream"),
    pytest.param("$JS.API.CONSUMER.DELETE.EVENTS_COUNTING.summing", id="deleting its own durable"),
    pytest.param("events.counting.counted.a", id="an event of another's"),
]


@pytest.mark.parametrize("subject", FORGED)
async def test_p14_what_is_forged_is_denied_and_an_alarm(database, nats_url, subject):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        summing = services["summing"]
        with capture_logs() as logged:
            await client_of(summing.broker).publish(subject, b"{}")
            await eventually(lambda: summing.figures.denied)
        assert summing.figures.denied == 1
        (line,) = denials(logged)
        # The client tells in small letters what the broker says.
        assert (line["log_level"], line["subject"].lower()) == ("error", subject.lower())
        assert (await summing.call(Count(counter="a", times=3))).ok
        await eventually(lambda: summing.pool.fetchval("SELECT total = 3 FROM counters WHERE id = 'a'"))


@pytest.mark.parametrize(
    ("said", "subject"),
    [
        pytest.param('nats: permissions violation for publish to "events.sla.x.y"', "events.sla.x.y", id="a publish"),
        pytest.param('nats: Permissions Violation for Subscription to "a.>"', "a.>", id="a subscription"),
        pytest.param(
            'nats: permissions violation for subscription to "a.b" using queue "crm"', "a.b", id="one of a queue group"
        ),
        pytest.param("nats: maximum payload violation", "", id="another complaint"),
    ],
)
def test_what_was_denied_is_read_from_what_the_broker_says(said, subject):
    assert denied_subject(Exception(said)) == subject

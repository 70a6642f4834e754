"""O5: one trace follows a mail through every service that hears of it, and an agent's request to what it changed."""

from email.message import EmailMessage

import pytest

from deskstream.testkit.eventually import eventually
from deskstream.testkit.otlp_collector import Collector

pytestmark = pytest.mark.slow

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ON_THE_WAY = {"channel_email", "ingest", "crm", "conversation", "routing", "sla", "gateway"}


@pytest.fixture
def collector(monkeypatch):
    collector = Collector()
    collector.start()
    monkeypatch.setenv("DESKSTREAM_OTLP_URL", collector.url)
    monkeypatch.setenv("DESKSTREAM_TRACE_RATIO", "1")
    yield collector
    collector.stop()


def mail():
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ada <ada@acme.example>", "support@example.org", "It stops"
    mail.set_content("At 40 %.")
    return mail


def of_trace(collector, trace):
    return [span for span in collector.spans if span.trace == trace]


async def test_o5_a_mail_is_followed_through_every_service_and_out_again(open_desk, collector):
    async with open_desk() as desk:
        await desk.mail(mail())
        await desk.when("CONV-1", lambda it: it["clocks"], "a clock")

        def arrived():
            (root,) = [span for span in collector.of("channel_email") if not span.parent][:1] or [None]
            return root and {span.service for span in of_trace(collector, root.trace)} >= ON_THE_WAY and root

        root = await eventually(arrived, within=15)
        assert_is_one_tree(of_trace(collector, root.trace), root)
        answer = await desk.api.post(
            "/api/conversations/CONV-1/notes",
            json={"text": "Known since Monday."},
            headers={"X-Agent": "anna", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
        )
        assert answer.is_success
        await eventually(lambda: {span.service for span in of_trace(collector, TRACE)} >= {"conversation", "gateway"})
        await desk.reply("CONV-1", "anna", "It is fixed.")
        await eventually(lambda: [span for span in collector.spans if span.name == "send outbound.email"], within=15)
    (sent,) = [span for span in collector.spans if span.name == "send outbound.email"]
    assert sent.about["deskstream.outcome"] == "sent"
    # It was released by a timer, after the time in which it could be undone: that is where this trace begins.
    assert {span.service for span in of_trace(collector, sent.trace)} >= {"conversation", "channel_email", "ingest"}
    assert all(span.about["deskstream.outcome"] in {"applied", "skipped", "sent"} for span in collector.spans)


def assert_is_one_tree(spans, root):
    ids = {span.id for span in spans}
    assert [span for span in spans if span.parent not in ids] == [root]

"""O5: one trace follows a mail through every service that hears of it, and an agent's request to what it changed."""

from email.message import EmailMessage

import pytest

from deskstream.testkit.eventually import eventually
from deskstream.testkit.otlp_collector import Collector

pytestmark = pytest.mark.slow

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
FOLLOWED = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
WAY_BACK = {"ticketing", "conversation", "gateway", "channel_email", "ingest"}
ON_THE_WAY = {"channel_email", "ingest", "crm", "conversation", "routing", "sla", "gateway"}


@pytest.fixture
def collector(monkeypatch):
    collector = Collector()
    collector.start()
    monkeypatch.setenv("DESKSTREAM_OTLP_URL", collector.url)
    monkeypatch.setenv("DESKSTREAM_TRACE_RATIO", "1")
    yield collector
    collector.stop()


def mail(name="first", answers=None):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ada <ada@acme.example>", "support@example.org", "It stops"
    mail["Message-ID"] = f"<{name}@acme.example>"
    if answers:
        mail["In-Reply-To"] = f"<{answers}@acme.example>"
    mail.set_content(f"At 40 %, says the {name} mail.")
    return mail


def of_trace(collector, trace):
    return [span for span in collector.spans if span.trace == trace]


def of_mails(collector):
    """The traces that mails began, each with its spans."""
    roots = [span for span in collector.of("channel_email") if not span.parent]
    return [(root, of_trace(collector, root.trace)) for root in roots]


async def test_o5_a_mail_is_followed_through_every_service_and_out_again(open_desk, collector):
    async with open_desk() as desk:
        await desk.mail(mail())
        await desk.when("CONV-1", lambda it: it["clocks"], "a clock")
        await eventually(lambda: followed_to(collector, ON_THE_WAY), within=15, what="a trace of one tree")
        answer = await desk.api.post(
            "/api/conversations/CONV-1/notes",
            json={"text": "Known since Monday."},
            headers={"X-Agent": "anna"} | FOLLOWED,
        )
        assert answer.is_success
        await eventually(lambda: {span.service for span in of_trace(collector, TRACE)} >= {"conversation", "gateway"})
        await desk.reply("CONV-1", "anna", "It is fixed.")
        # It is released by a timer, after the time in which it can be undone: that is where its trace begins.
        sent = await eventually(lambda: reported(collector), within=15, what="a sent mail and its report")
    assert sent.about["deskstream.outcome"] == "sent"
    assert not [span for span in collector.spans if span.wrong]


def followed_to(collector, services):
    """Whether a mail's trace came to all of these, as one tree from where it came in."""
    return any(
        {span.service for span in spans} >= services and orphans(spans) == [root] for root, spans in of_mails(collector)
    )


def reported(collector):
    """The one mail that left, once ingest has heard of it."""
    sent = [span for span in collector.spans if span.name == "send outbound.email"]
    services = {span.service for one in sent for span in of_trace(collector, one.trace)}
    return sent[0] if services >= {"conversation", "channel_email", "ingest"} and len(sent) == 1 else None


def orphans(spans):
    """Those whose parent is not there."""
    ids = {span.id for span in spans}
    return [span for span in spans if span.parent not in ids]


async def test_o5_an_agents_trace_goes_on_through_ticket_and_issue_to_the_answer(open_desk, collector, monkeypatch):
    # A reply that can be undone is released by a timer, which begins a trace of its own.
    monkeypatch.setenv("DESKSTREAM_CONVERSATION_UNDO_SECONDS", "0")
    async with open_desk() as desk:
        await desk.mail(mail())
        await desk.when("CONV-1", lambda it: it["clocks"], "a clock")

        async def done(path, agent="anna", **body):
            answer = await desk.api.post(f"/api/{path}", json=body, headers={"X-Agent": agent} | FOLLOWED)
            assert answer.is_success, answer.text
            return answer.json()

        ticket = (await done("conversations/CONV-1/tickets", title="It stops"))["ticket"]
        issue = await done("issues", title="Overflow", tickets=[ticket["id"]], wait=True)
        path = f"issues/ISS-{issue['issue']['number']}"
        await desk.when("CONV-1", lambda it: it["tickets"] and it["tickets"][0]["stage"] == "on_hold", "its ticket")
        await done(f"{path}/accept", agent="carla")
        await done(f"{path}/move", agent="carla", stage="completed")
        await desk.when("CONV-1", lambda it: it["tickets"][0]["stage"] == "open", "the end of the issue")
        await done(f"{path}/approve-answer", text="{ticket} is fixed.")

        def arrived():
            spans = of_trace(collector, TRACE)
            assert {span.service for span in spans} >= WAY_BACK
            assert "send outbound.email" in {span.name for span in spans}
            assert {span.parent for span in orphans(spans)} == {CALLER}
            return True

        await eventually(arrived, within=20, what="the whole way in one trace")
        await desk.mail(mail("second", answers="first"))
        await eventually(lambda: followed_to(collector, ON_THE_WAY | {"ticketing"}), within=20, what="its ticket")
    heard = {
        (span.service, str(span.about["deskstream.event"]).rpartition(".")[2]) for span in of_trace(collector, TRACE)
    }
    assert heard >= {
        ("ticketing", "MoveIssue"),
        ("ticketing", "issue_reported"),
        ("conversation", "ticket_reported"),
        ("ticketing", "answer_ordered"),
        ("conversation", "reply_wanted"),
    }

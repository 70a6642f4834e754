"""C1, C8, C10, C17, R1, S1: a mail comes by SMTP, gets owner and clock, is answered, comes back, and ends."""

from email.message import EmailMessage
from email.utils import parseaddr

import pytest

from deskstream.contracts.crm import SaveAccount
from deskstream.contracts.routing import Availability, SaveAgent

pytestmark = pytest.mark.slow

ADA = "Ada Lovell <ada@acme.example>"


def written(subject, text, **headers):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = ADA, "support@example.org", subject
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail


def answering(ours, text, message_id):
    """As a mail program that keeps nothing of ours but the address to answer to."""
    mail = written(f"Re: {ours['Subject']}", text, Message_ID=message_id)
    del mail["To"]
    mail["To"] = ours["Reply-To"]
    return mail


async def furnish(desk):
    for agent in ("anna", "bruno"):
        await desk.ask(SaveAgent(agent=agent, name=agent.title(), availability=Availability.AVAILABLE))
    await desk.ask(SaveAccount(name="Acme", domains=("acme.example",), default_owner="bruno"))


def delivery(shown):
    """The delivery states of all replies shown."""
    return [entry["delivery"]["state"] for entry in shown["timeline"] if entry["kind"] == "reply"]


def first_response(shown):
    return next(clock for clock in shown["clocks"] if clock["metric"] == "first_response")


async def arrives(desk):
    await desk.mail(written("The export stops", "At 40 %, since this morning.", Message_ID="<export-1@acme.example>"))
    shown = await desk.when("CONV-1", lambda it: it["owner"] and it["clocks"], "owner and clock")
    assert (shown["contact"]["name"], shown["contact"]["email"]) == ("Ada Lovell", "ada@acme.example")
    assert shown["account"]["name"] == "Acme"
    assert (shown["owner"], shown["assignment"]["cause"]) == ("bruno", "account_default")
    decision = shown["decisions"][0]
    assert "Acme" in decision["reason"]
    assert any(step["matched"] and step["name"] == "account_default" for step in decision["record"]["steps"])
    assert (shown["stage"], shown["button"], first_response(shown)["state"]) == ("new", "First reply", "running")
    assert (shown["timeline"][0]["message"]["text"]).strip() == "At 40 %, since this morning."


async def is_answered(desk, relay):
    answer = await desk.reply("CONV-1", "bruno", "It is fixed.", asks_solved=True)
    assert answer.status_code == 202
    ours = (await relay.received(1, within=10))[-1]
    shown = await desk.when("CONV-1", lambda it: delivery(it) == ["sent"] and first_response(it)["outcome"], "the end")
    assert (shown["stage"], shown["button"], first_response(shown)["outcome"]) == ("waiting_on_user", None, "met")
    await changed_only_after_the_undo_time(desk)
    assert ours.recipients == ("ada@acme.example",)
    assert ours.message["In-Reply-To"] == "<export-1@acme.example>"
    assert "It is fixed." in ours.message.get_body(("plain",)).get_content()
    return ours.message


async def changed_only_after_the_undo_time(desk):
    queued, released = await desk.records.fetch(
        "SELECT type, at, body::json -> 'data' -> 'after' ->> 'stage' AS stage FROM conversation.journal "
        "WHERE type LIKE '%.reply_queued' OR type LIKE '%.agent_replied' ORDER BY seq"
    )
    assert (queued["stage"], released["stage"]) == ("new", "waiting_on_user")
    assert (released["at"] - queued["at"]).total_seconds() >= 1


async def comes_back(desk, ours):
    await desk.mail(answering(ours, "Not for yearly ones.", "<export-2@acme.example>"), parseaddr(ours["Reply-To"])[1])
    shown = await desk.when("CONV-1", lambda it: len(it["clocks"]) == 2, "a second clock")
    assert (shown["stage"], shown["button"], shown["owner"]) == ("needs_response", "Reply", "bruno")
    assert [clock["metric"] for clock in shown["clocks"] if clock["outcome"] is None] == ["next_response"]
    assert len((await desk.api.get("/api/conversations")).json()["conversations"]) == 1


async def ends(desk):
    assert (await desk.post("/api/conversations/CONV-1/resolve", "bruno", category="answered")).status_code == 200
    shown = await desk.when("CONV-1", lambda it: all(c["outcome"] for c in it["clocks"]), "the end of all clocks")
    assert (shown["stage"], shown["resolution"], shown["tags"]) == ("resolved", "answered", {"resolution": "answered"})
    assert shown["clocks"][1]["outcome"] == "no_reply"
    assert (await desk.post("/api/conversations/CONV-1/archive", "bruno")).status_code == 200
    await desk.when("CONV-1", lambda it: it["stage"] == "archived", "the archive")


async def begins_again(desk, ours):
    await desk.mail(answering(ours, "Here it is again.", "<export-3@acme.example>"), parseaddr(ours["Reply-To"])[1])
    shown = await desk.when("CONV-2", lambda it: it["owner"] and it["clocks"], "owner and clock")
    earlier = await desk.show("CONV-1")
    assert (shown["follow_up_of"], shown["earlier_owner"], earlier["stage"]) == (earlier["id"], "bruno", "archived")
    assert (shown["owner"], shown["assignment"]["cause"], shown["stage"]) == ("bruno", "earlier_owner", "new")


async def test_a_mail_its_answer_and_everything_after(open_desk, relay):
    async with open_desk() as desk:
        await furnish(desk)
        await arrives(desk)
        ours = await is_answered(desk, relay)
        await comes_back(desk, ours)
        await ends(desk)
        # Bruno is the account's default owner, too: only an earlier owner can beat another one.
        await desk.ask(SaveAccount(name="Acme", default_owner="anna"))
        await begins_again(desk, ours)
        assert await desk.waiting() == {}


async def test_c17_a_reply_that_is_undone_never_leaves(open_desk, relay, monkeypatch):
    monkeypatch.setenv("DESKSTREAM_CONVERSATION_UNDO_SECONDS", "2")
    async with open_desk() as desk:
        await furnish(desk)
        await arrives(desk)
        reply = (await desk.reply("CONV-1", "bruno", "Wrong window, sorry.")).json()["reply"]
        undone = await desk.post("/api/conversations/CONV-1/undo-reply", "bruno", reply_id=reply["id"])
        assert undone.status_code == 200
        assert (await desk.reply("CONV-1", "bruno", "The right one.")).status_code == 202
        await desk.when("CONV-1", lambda it: delivery(it) == ["withdrawn", "sent"], "the end")
        mails = await relay.received(1)
        assert ["The right one." in mail.message.get_body(("plain",)).get_content() for mail in mails] == [True]


async def test_without_a_relay_what_leaves_lies_in_a_folder_and_says_so(open_desk, tmp_path):
    async with open_desk() as desk:
        await furnish(desk)
        await arrives(desk)
        await desk.reply("CONV-1", "bruno", "It is fixed.")
        await desk.when("CONV-1", lambda it: delivery(it) == ["sent"], "the end")
        (mail,) = (tmp_path / "maildir" / "new").iterdir()
        assert "It is fixed." in mail.read_text()

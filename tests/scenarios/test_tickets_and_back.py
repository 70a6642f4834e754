"""The seed stories of tickets, on all services: three wishes in a mail, one fix for two, silence, a secret."""

from email.message import EmailMessage
from email.mime.text import MIMEText
from email.utils import parseaddr

import pytest

from deskstream.contracts import conversation as of_conversations
from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as of_tickets
from deskstream.contracts.conversation_tickets import PrefillTicket
from deskstream.testkit.eventually import eventually

pytestmark = pytest.mark.slow

LEFT = "SELECT body FROM conversation.journal WHERE lane = 'outbound.email' ORDER BY id"
SECRET = "zephyr overflow"


def letter(sender, subject, text="It crashes. I wish for a dark mode. And do sell me the new reports."):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, "support@example.org", subject
    mail["Message-ID"] = f"<{subject.replace(' ', '-')}-{sender}>"
    mail.set_content(text)
    return mail


async def conversation(desk, number):
    async def found():
        return (await desk.ask(of_conversations.FindConversation(number=number)))["conversation"]

    return await eventually(found, within=10, what=f"CONV-{number}")


async def opened_from(desk, shown, **more):
    """A ticket of that conversation, prefilled from its first message."""
    prefill = (await desk.ask(PrefillTicket(conversation_id=shown["id"])))["prefill"]
    return (await desk.ask(of_tickets.OpenTicket(**prefill | more), actor="anna"))["ticket"]


async def ticket(desk, one, holds):
    async def found():
        facts = (await desk.ask(of_tickets.FindTicket(ticket_id=one["id"])))["ticket"]
        assert holds(facts), facts["stage"]
        return facts

    return await eventually(found, within=10, what=f"TKT-{one['number']}")


async def when(desk, number, holds, what):
    async def found():
        shown = (await desk.ask(of_conversations.FindConversation(number=number)))["conversation"]
        assert holds(shown), (shown["stage"], shown["tickets"], shown["waits"])
        return shown

    return await eventually(found, within=10, what=f"{what} of CONV-{number}")


async def left(desk, count):
    async def found():
        bodies = [row["body"] for row in await desk.records.fetch(LEFT)]
        assert len(bodies) == count
        return bodies

    return await eventually(found, within=15, what=f"{count} mails")


async def test_c5_one_mail_becomes_three_tickets_that_outlive_their_conversation(open_desk):
    async with open_desk() as desk:
        await desk.mail(letter("ada@acme.example", "Three wishes"))
        shown = await conversation(desk, 1)
        three = [await opened_from(desk, shown, title=title) for title in ("A crash", "Dark mode", "New reports")]
        assert {one["requester"]["email"] for one in three} == {"ada@acme.example"}
        shown = await when(desk, 1, lambda it: len(it["tickets"]) == 3, "three tickets")
        await desk.ask(of_conversations.Resolve(conversation_id=shown["id"], category="continued_in_ticket"), "anna")
        mine = await desk.ask(of_tickets.ListTickets(conversation_id=shown["id"]))
        assert [(row["title"], row["stage"]) for row in mine["tickets"]] == [
            ("New reports", "new"), ("Dark mode", "new"), ("A crash", "new"),
        ]  # fmt: skip
        seen = await desk.ask(of_tickets.ListCustomerTickets(contact_id=three[0]["requester"]["id"]))
        assert [row["stage"] for row in seen["tickets"]] == ["received"] * 3


async def test_w11_one_fix_answers_two_customers_after_one_approval(open_desk):
    async with open_desk() as desk:
        both = []
        for number, sender in enumerate(("ada@acme.example", "bob@other.example"), start=1):
            await desk.mail(letter(sender, "It crashes"))
            shown = await conversation(desk, number)
            both.append(await opened_from(desk, shown, title=f"Crash {number}"))
        filed = of_issues.FileIssue(title="Null pointer", tickets=[one["id"] for one in both], wait=True)
        issue = (await desk.ask(filed, "anna"))["issue"]
        for number, one in enumerate(both, start=1):
            await ticket(desk, one, lambda it: it["stage"] == "on_hold")
            shown = await when(desk, number, lambda it: it["tickets"], "its ticket")
            wait = {"kind": "ticket", "name": f"TKT-{one['number']}"}
            await desk.ask(of_conversations.Hold(conversation_id=shown["id"], waits=[wait]), "anna")
        await desk.ask(of_issues.AcceptIssue(issue_id=issue["id"]), "carla")
        await desk.ask(of_issues.MoveIssue(issue_id=issue["id"], stage="completed"), "carla")
        for number, one in enumerate(both, start=1):
            await ticket(desk, one, lambda it: it["stage"] == "open")
            shown = await when(desk, number, lambda it: it["stage"] == "needs_response", "the end of its hold")
            assert [answer["work"] for answer in shown["prepared"]] == [f"TKT-{one['number']}"]
        approved = of_issues.ApproveAnswer(issue_id=issue["id"], text="Good news: {ticket} is fixed.")
        await desk.ask(approved, "anna")
        assert {"Crash 1", "Crash 2"} == {body.split("“")[1].split("”")[0] for body in await left(desk, 2)}
        for number, one in enumerate(both, start=1):
            await when(desk, number, lambda it: it["stage"] == "waiting_on_user" and not it["prepared"], "its answer")
            pending = await ticket(desk, one, lambda it: it["stage"] == "pending")
            assert (pending["asks"], pending["given"]) == ("confirmation", ["answer"])
        await desk.mail(letter("ada@acme.example", "Re: It crashes", "No, still broken"))
        assert not await desk.waiting()


async def test_w11_whom_an_approval_cannot_reach_is_named_noted_and_not_told(open_desk):
    async with open_desk() as desk:
        both = []
        for number, sender in enumerate(("ada@acme.example", "bob@other.example"), start=1):
            await desk.mail(letter(sender, f"Crash {number}"))
            both.append(await opened_from(desk, await conversation(desk, number)))
        ada = await when(desk, 1, lambda it: it["tickets"], "its ticket")
        await desk.ask(of_conversations.Archive(conversation_id=ada["id"]), "anna")
        await ticket(desk, both[0], lambda it: it["conversations"][0]["silenced"] == "archived")
        filed = of_issues.FileIssue(title="Null pointer", tickets=[one["id"] for one in both], wait=True)
        issue = (await desk.ask(filed, "anna"))["issue"]
        await desk.ask(of_issues.AcceptIssue(issue_id=issue["id"]), "carla")
        await desk.ask(of_issues.MoveIssue(issue_id=issue["id"], stage="completed"), "carla")
        for one in both:
            await ticket(desk, one, lambda it: it["issues"] and it["stage"] == "open")
        approved = await desk.ask(of_issues.ApproveAnswer(issue_id=issue["id"], text="{ticket} is fixed."), "anna")
        unreached = [{"why": "archived", "tickets": [f"TKT-{both[0]['number']}"]}]
        assert (approved["answered"], approved["left_out"], approved["left"]) == (1, unreached, 0)
        await ticket(desk, both[1], lambda it: it["given"] == ["answer"])
        assert await _said(desk, "agent_answered") == [both[1]["id"]]
        assert await _said(desk, "answer_not_sent") == [both[0]["id"]]
        notes = "SELECT body::text FROM conversation.journal WHERE subject LIKE 'events.conversation.note_added.%'"
        (note,) = await desk.records.fetch(notes)
        assert f"approved for TKT-{both[0]['number']} was not sent: this conversation is archived" in note["body"]
        assert len(await left(desk, 1)) == 1
        assert not await desk.waiting()


async def _said(desk, event):
    """Which tickets that was said of."""
    said = "SELECT split_part(subject, '.', 4) AS ticket FROM ticketing.journal WHERE subject LIKE $1 ORDER BY id"
    return [row["ticket"] for row in await desk.records.fetch(said, f"events.ticketing.{event}.%")]


async def test_w11_a_ticket_needing_two_issues_comes_back_once_though_conversations_were_down(open_desk):
    async with open_desk() as first:
        await first.mail(letter("ada@acme.example", "It crashes twice"))
        shown = await conversation(first, 1)
        one = await opened_from(first, shown)
        filings = [of_issues.FileIssue(title=title, tickets=[one["id"]], wait=True) for title in ("Client", "Server")]
        issues = [(await first.ask(filing, "anna"))["issue"] for filing in filings]
        await ticket(first, one, lambda it: len(it["waits"]) == 2)
        await when(first, 1, lambda it: it["tickets"], "its ticket")
        wait = {"kind": "ticket", "name": f"TKT-{one['number']}"}
        await first.ask(of_conversations.Hold(conversation_id=shown["id"], waits=[wait]), "anna")
        await first.services["conversation"].stop()
        for issue, left in zip(reversed(issues), (1, 0), strict=True):
            await first.ask(of_issues.AcceptIssue(issue_id=issue["id"]), "carla")
            await first.ask(of_issues.MoveIssue(issue_id=issue["id"], stage="completed"), "carla")
            held = await ticket(first, one, lambda it, left=left: len(it["waits"]) == left)
            assert held["stage"] == ("on_hold" if left else "open")
    async with open_desk() as second:
        shown = await when(second, 1, lambda it: it["stage"] == "needs_response", "the end of its hold")
        assert [answer["work"] for answer in shown["prepared"]] == [f"TKT-{one['number']}"]
        ended = "SELECT count(*) FROM conversation.journal WHERE subject LIKE 'events.conversation.wait_ended.%'"
        assert await second.records.fetchval(ended) == 1
        assert not await second.waiting()


async def test_w4_a_silent_customer_is_reminded_twice_then_it_is_solved_and_closed(open_desk, monkeypatch):
    soon = {"FIRST_FOLLOW_UP": 0.3, "SECOND_FOLLOW_UP": 0.6, "GIVE_UP": 0.9, "CLOSE": 0.3}
    for name, seconds in soon.items():
        monkeypatch.setenv(f"DESKSTREAM_TICKETING_{name}_HOURS", str(seconds / 3600))
    monkeypatch.setenv("DESKSTREAM_TICKETING_HOURS", "24x7")
    async with open_desk() as desk:
        await desk.mail(letter("ada@acme.example", "Silent"))
        one = await opened_from(desk, await conversation(desk, 1))
        shown = await when(desk, 1, lambda it: it["tickets"], "its ticket")
        speaks = {"ticket_id": one["id"], "asks": "confirmation"}
        reply = of_conversations.SendReply(
            conversation_id=shown["id"], text="Try again.", last_seen=shown["version"], speaks_for=[speaks]
        )
        await desk.ask(reply, "anna")
        closed = await ticket(desk, one, lambda it: it["stage"] == "closed")
        assert (closed["resolution"], closed["follow_ups"]) == ("silent_after_answer", 2)
        assert len(await left(desk, 3)) == 3
        shown = await when(desk, 1, lambda it: it["tickets"][0]["stage"] == "closed", "its closed ticket")
        assert (shown["stage"], shown["public_replies"]) == ("waiting_on_user", 1)


async def test_w3_a_mail_is_about_the_ticket_of_the_reply_that_it_answers_also_once_that_is_archived(open_desk, relay):
    async with open_desk() as desk:
        await desk.mail(letter("ada@acme.example", "Two wishes"))
        shown = await conversation(desk, 1)
        one, two = [await opened_from(desk, shown, title=title) for title in ("A crash", "Dark mode")]
        await when(desk, 1, lambda it: len(it["tickets"]) == 2, "two tickets")
        for each in (one, two):
            await speak_for(desk, each)
            await ticket(desk, each, lambda it: it["stage"] == "open")
        wait = {"kind": "third_party", "name": "the hosting provider"}
        for each in (one, two):
            await desk.ask(of_tickets.HoldTicket(ticket_id=each["id"], waits=[wait]), "anna")
        mails = [sent.message for sent in await relay.received(2, within=10)]
        (first,) = [mail for mail in mails if f"About TKT-{one['number']}." in str(mail)]
        await desk.mail(answering(first, "once"), parseaddr(first["Reply-To"])[1])
        await ticket(desk, one, lambda it: it["stage"] == "open")
        await ticket(desk, two, lambda it: it["stage"] == "on_hold" and it["undecided"])
        await desk.ask(of_tickets.HoldTicket(ticket_id=one["id"], waits=[wait]), "anna")
        await desk.ask(of_conversations.Archive(conversation_id=shown["id"]), "anna")
        await desk.mail(answering(first, "twice"), parseaddr(first["Reply-To"])[1])
        moved = await ticket(desk, one, lambda it: it["stage"] == "open" and len(it["conversations"]) == 2)
        assert [where["number"] for where in moved["conversations"]] == [1, 2]
        await ticket(desk, two, lambda it: it["stage"] == "on_hold" and len(it["conversations"]) == 2)
        await when(desk, 2, lambda it: len(it["tickets"]) == 2, "its tickets")
        assert not await desk.waiting()


async def speak_for(desk, one):
    """A reply that leaves at once, and names this ticket only."""
    shown = await conversation(desk, 1)
    await desk.ask(
        of_conversations.SendReply(
            conversation_id=shown["id"],
            text=f"About TKT-{one['number']}.",
            last_seen=shown["version"],
            confirm=True,
            speaks_for=[{"ticket_id": one["id"]}],
        ),
        "anna",
    )


def answering(ours, text):
    """As a mail program writes it: the library's newer class would encode an id as long as ours."""
    mail = MIMEText(text)
    mail["From"], mail["To"], mail["Subject"] = "ada@acme.example", ours["Reply-To"], f"Re: {ours['Subject']}"
    mail["Message-ID"], mail["In-Reply-To"] = f"<{text}@acme.example>", ours["Message-ID"]
    return mail


async def test_w12_a_security_defect_is_told_to_the_customer_without_its_link_or_its_words(open_desk):
    async with open_desk() as desk:
        await desk.mail(letter("ada@acme.example", "Odd login"))
        shown = await conversation(desk, 1)
        one = await opened_from(desk, shown)
        wait = {"kind": "ticket", "name": f"TKT-{one['number']}"}
        await desk.ask(of_conversations.Hold(conversation_id=shown["id"], waits=[wait]), "anna")
        filed = of_issues.FileIssue(title=SECRET, text=SECRET, security="yes", tickets=[one["id"]], wait=True)
        issue = (await desk.ask(filed, "anna"))["issue"]
        await ticket(desk, one, lambda it: it["issues"])
        await desk.ask(of_issues.AcceptIssue(issue_id=issue["id"]), "carla")
        await desk.ask(of_issues.MoveIssue(issue_id=issue["id"], stage="completed", reason=SECRET), "carla")
        await when(desk, 1, lambda it: it["stage"] == "needs_response", "the end of its hold")
        await desk.ask(of_issues.ApproveAnswer(issue_id=issue["id"], text="{ticket} is solved."), "anna")
        await left(desk, 1)
        (row,) = (await desk.ask(of_tickets.ListCustomerTickets(contact_id=one["requester"]["id"])))["tickets"]
        assert (row["filed"], row["links"]) == (True, [])
        assert SECRET not in str(row)
        assert not await _lanes_that_tell(desk) - {"events.issues"}
        chain = await desk.ask(of_tickets.ReadChain(ticket=one["number"]))
        assert [(found["title"], found["confidential"]) for found in chain["issues"]] == [(SECRET, True)]


async def _lanes_that_tell(desk):
    lanes = set()
    for service in desk.services:
        found = await desk.records.fetch(
            f"SELECT DISTINCT lane FROM {service}.journal WHERE body ILIKE $1", f"%{SECRET}%"
        )
        lanes |= {row["lane"] for row in found}
    return lanes

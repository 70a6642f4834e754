"""P1, P2, P3, P9: every service is killed at every point of its work; nothing is lost, nothing twice, order is kept."""

import asyncio
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import asyncpg
import pytest
from nats.aio.client import Client

from deskstream.contracts import subjects
from deskstream.contracts.conversation import SendReply
from deskstream.contracts.inbound import Identity, InboundMessage, ThreadHints
from deskstream.contracts.linked import ConversationRef
from deskstream.contracts.ticket_commands import OpenTicket
from deskstream.messaging import commands
from deskstream.messaging.failpoints import POINTS, SEND_POINTS
from deskstream.runtime.schemas import installed_services
from deskstream.testkit.eventually import eventually
from deskstream.testkit.forking import forking

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]

SERVICES = installed_services()
ALL = tuple(SERVICES)


def points_of(service):
    """Who says nothing is never in the middle of publishing; only who hears what is to leave sends it."""
    leaves = any(lane.startswith(f"{subjects.OUTBOUND}.") for lane in service.hears)
    reached = [point for point in POINTS if service.says or point != "during_publish"]
    return [*reached, *(SEND_POINTS if leaves else ())]


CASES = [(name, point) for name, service in SERVICES.items() for point in points_of(service)]
RUNTIME = "deskstream.runtime"
PARTS = 4
KEEP = 6
"""Threads that go on over many deaths; all others are one mail."""
DIES_WITHIN_S = 60.0
ENOUGH = 5
TICK_S = 0.25


@dataclass
class Desk:
    """Somebody who writes mails and somebody who answers, both until they are told that it was taken."""

    broker: Client
    records: "asyncpg.Connection[asyncpg.Record]"
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    threads: dict[str, list[str]] = field(default_factory=dict)
    replies: set[str] = field(default_factory=set)
    tickets: dict[str, str] = field(default_factory=dict)
    """Conversation -> the ticket that was opened for it."""

    async def write(self):
        """One mail of a new thread, one of a thread that goes on."""
        number = next(self.numbers)
        await self._mail(f"new-{number}")
        await self._mail(f"kept-{number % KEEP}")

    async def _mail(self, thread):
        mails = self.threads.setdefault(thread, [])
        message = InboundMessage(
            external_id=f"{thread}/{len(mails)}",
            sender=Identity(email=f"{thread}@kill.example"),
            title=thread,
            text=f"mail {len(mails)}",
            thread=ThreadHints(references=(mails[-1],) if mails else ()),
        )
        body = message.model_dump_json(exclude_defaults=True).encode()
        await self.broker.jetstream().publish("inbound.email.support", body)
        mails.append(message.external_id)

    async def answer(self, conversation):
        """One reply; a service that is just dead gives none."""
        key = f"reply-{next(self.numbers)}"
        asked = SendReply(
            conversation_id=conversation["conversation_id"], text="We are on it.", last_seen=1, confirm=True
        )
        try:
            answered = await commands.call(self.broker, asked, idempotency_key=key, actor="anna", within=1.0)
        except TimeoutError:
            return
        if answered.ok:
            self.replies.add(answered.result["reply"]["id"])

    async def escalate(self, conversation):
        """A ticket; what its customer writes afterwards is told to it."""
        known = conversation["conversation_id"]
        talk = ConversationRef(id=known, number=conversation["number"], channel="email")
        asked = OpenTicket(title=f"Ticket of CONV-{talk.number}", conversation=talk)
        try:
            answered = await commands.call(
                self.broker, asked, idempotency_key=f"ticket-{talk.id}", actor="anna", within=1.0
            )
        except TimeoutError:
            return
        if answered.ok:
            self.tickets[str(known)] = answered.result["ticket"]["id"]

    async def work(self):
        """A moment's worth of everything."""
        known = await self.records.fetch("SELECT conversation_id, number FROM gateway.inbox ORDER BY random()")
        without = [one for one in known if str(one["conversation_id"]) not in self.tickets]
        asks = [*map(self.answer, known[:1]), *map(self.escalate, without[:1])]
        await asyncio.gather(self.write(), *asks, asyncio.sleep(TICK_S))

    async def work_until_enough_is_taken(self):
        """Of what is asked while services die, little may be answered."""
        async with asyncio.timeout(DIES_WITHIN_S):
            while min(len(self.replies), len(self.tickets)) <= ENOUGH:
                await self.work()


async def kill_at(process, desk, service, point):
    """Starts everything, armed, and goes on working with it until it dies there."""
    await process.start(RUNTIME, *ALL, failpoint=f"{service}:{point}:1")
    async with asyncio.timeout(DIES_WITHIN_S):
        while process.running:
            await desk.work()


async def said_about(records, lane):
    rows = await records.fetch(
        "SELECT key, body::json -> 'data' AS said FROM conversation.journal WHERE lane = $1 ORDER BY key, seq", lane
    )
    return [(row["key"], json.loads(row["said"])) for row in rows]


async def every_thread_is_one_conversation_in_order(desk, records):
    found: dict[str, list[str]] = {}
    for key, said in await said_about(records, "events.conversation"):
        if said.get("message"):
            found.setdefault(key, []).append(said["message"]["external_id"])
    assert sorted(found.values()) == sorted(desk.threads.values())
    return found


async def times(records, service, event, metric=None):
    """How often something was said about each conversation."""
    rows = await records.fetch(
        f"SELECT key, count(*) AS said FROM {service}.journal WHERE type LIKE '%.{event}' "
        "AND ($1::text IS NULL OR body::json -> 'data' -> 'clock' ->> 'metric' = $1) GROUP BY key",
        metric,
    )
    return {row["key"]: row["said"] for row in rows}


async def nothing_waits(records):
    for service in ALL:
        assert await records.fetchval(f"SELECT count(*) FROM {service}.waiting") == 0, service
        assert await records.fetchval(f"SELECT count(*) FROM {service}.unpublished") == 0, service


async def every_reply_left_once(desk, records, maildir):
    # What a dead process was sending is looked up after two minutes; the test does not wait for them.
    await records.execute("UPDATE channel_email.sends SET next_at = now() WHERE state NOT IN ('sent', 'failed')")
    said = [event["reply_id"] for _, event in await said_about(records, "outbound.email")]
    assert sorted(said) == sorted(set(said))
    assert set(said) >= desk.replies
    assert await records.fetchval("SELECT count(*) FROM channel_email.sends WHERE state = 'sent'") == len(said)
    assert len(list((maildir / "new").iterdir())) == len(said)


async def every_ticket_is_there_once(desk, records):
    opened = await times(records, "ticketing", "ticket_opened")
    assert set(opened.values()) == {1}
    rows = await records.fetch("SELECT conversation_id, ticket_id FROM ticketing.ticket_conversations")
    linked = sorted((str(row["conversation_id"]), str(row["ticket_id"])) for row in rows)
    assert len(linked) == len(opened) == len({conversation for conversation, _ in linked})
    assert set(linked) >= set(desk.tickets.items())


async def everything_is_there_once(desk, records, maildir):
    found = await every_thread_is_one_conversation_in_order(desk, records)
    assert await times(records, "sla", "clock_started", "first_response") == dict.fromkeys(found, 1)
    # Who answers what nobody owns becomes its owner.
    answered = {key for key, _ in await said_about(records, "outbound.email")}
    chosen = await times(records, "routing", "owner_chosen")
    assert {key: number for key, number in chosen.items() if key not in answered} == dict.fromkeys(
        found.keys() - answered, 1
    )
    assert answered <= chosen.keys()
    assert await records.fetchval("SELECT count(*) FROM gateway.inbox") == len(found)
    await every_reply_left_once(desk, records, maildir)
    await every_ticket_is_there_once(desk, records)
    await nothing_waits(records)
    return True


@pytest.mark.parametrize("part", range(PARTS))
async def test_p1_p2_p3_p9_each_service_killed_at_each_point(furnished, records, broker, tmp_path, part):
    desk, cases = Desk(broker, records), CASES[part::PARTS]
    async with forking(RUNTIME) as process:
        for service, point in cases:
            await kill_at(process, desk, service, point)
        assert process.deaths == [-signal.SIGKILL] * len(cases)
        await process.start(RUNTIME, *ALL)
        await desk.work_until_enough_is_taken()
        await eventually(lambda: everything_is_there_once(desk, records, tmp_path / "maildir"), within=90)


async def test_p1_p2_p3_two_processes_killed_at_random(furnished, records, broker, tmp_path):
    desk = Desk(broker, records)
    async with forking(RUNTIME) as first, forking(RUNTIME) as second:
        early = ("ingest", "crm", "conversation")
        groups = {first: early, second: tuple(name for name in ALL if name not in early)}
        for process, services in groups.items():
            await process.start(RUNTIME, *services)
        for process in (first, second, first, second):
            for _ in range(8):
                await desk.work()
            process.kill()
            await process.ended()
            await process.start(RUNTIME, *groups[process])
        await desk.work_until_enough_is_taken()
        await eventually(lambda: everything_is_there_once(desk, records, tmp_path / "maildir"), within=90)

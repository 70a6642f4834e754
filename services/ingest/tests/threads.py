"""A thread as tests find it, messages that arrive in it, and what ingest says of them."""

from datetime import UTC, datetime
from uuid import UUID

from deskstream.contracts.ids import ThreadId
from deskstream.contracts.inbound import Automatic, AutomaticKind, Identity, InboundMessage
from deskstream.contracts.ingest import MessageReceived
from deskstream.ingest.domain import Arrived, Thread, decide, evolve

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
ARCHIVED = UUID(int=1)
THREAD = ThreadId(UUID(int=2))
NOBODY = Thread.unopened(str(THREAD))
ADA, BOB, EVE = (Identity(email=f"{name}@example.org") for name in ("ada", "bob", "eve"))
ADAS_THREAD = Thread(str(THREAD), stored=True, members=frozenset({"mailto:ada@example.org", "mailto:bob@example.org"}))
OOO = Automatic(kind=AutomaticKind.AUTO_REPLY, reason="Auto-Submitted: auto-replied")


def arrived(via="token", sender=ADA, channel="email", **fields):
    message = InboundMessage(at=NOW, external_id="1", sender=sender, **{"text": "Hello", **fields})
    return Arrived(ARCHIVED, channel, "support", message, THREAD, via)


def receive(thread, found, **settings):
    [event] = decide(thread, found, NOW, **settings)
    assert isinstance(event, MessageReceived)
    return event


def after(thread, *batch):
    for found in batch:
        thread = evolve(thread, receive(thread, found))
    return thread

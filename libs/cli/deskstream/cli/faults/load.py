"""The load of a fault run: mails of many threads, some twice, some broken; the same seed makes the same ones."""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from deskstream.contracts.inbound import Identity, InboundMessage, ThreadHints

NEW_SHARE = 0.2
TWICE_SHARE = 0.2
BROKEN_SHARE = 0.03
LATE_SHARE = 0.25
"""Of what comes twice: so much of it comes the second time much later."""
WINDOW = 50
"""Mails that may overtake each other, those of one thread excepted."""
LATE_BY = 60
"""Windows at most, which are a minute of 50 mails a second; a shorter run gives the rest out at its end."""
THREADS_KEPT = 200
CONTACTS = 300
ORGANISATIONS = 40

_BREAKS = (
    "this is no JSON",
    '{"external_id": "ID", "sender": {"email": "cut@off.exam',
    '{"external_id": "ID", "sender": {"name": "Without Address"}, "text": "who am I?"}',
    '{"external_id": "ID", "sender": {"email": "no address at all"}, "text": "hello"}',
    '{"external_id": "ID", "sender": {"email": "a@b.example"}, "text": 12}',
)


@dataclass(frozen=True, slots=True)
class Mail:
    """One publish. Mails of one `thread` are published in their order, each after the one before was acknowledged."""

    external_id: str
    thread: int
    body: bytes
    broken: bool = False
    copy: bool = False


@dataclass
class Load:
    """Makes mails, a window at a time."""

    seed: int
    _chance: random.Random = field(init=False)
    _made: int = 0
    _threads: deque[tuple[int, int, str]] = field(default_factory=lambda: deque(maxlen=THREADS_KEPT))
    """Thread, contact, the last mail's external id."""
    _late: deque[list[Mail]] = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(f"load {self.seed}")
        self._late = deque([] for _ in range(LATE_BY))

    def window(self) -> list[Mail]:
        """The next mails, and what comes again, mixed."""
        mails = self._late.popleft()
        self._late.append([])
        for _ in range(WINDOW):
            mails += self._next()
        return mixed(mails, self._chance)

    def single(self, number: int) -> Mail:
        """A mail of nobody else's thread."""
        external_id = f"single-{self.seed}-{number}@example.net"
        return Mail(external_id, -number, _body(external_id, number % CONTACTS, -number, ()))

    def rest(self) -> list[Mail]:
        """What was still to come again."""
        return [mail for window in self._late for mail in window]

    def _next(self) -> list[Mail]:
        self._made += 1
        external_id = f"fault-{self.seed}-{self._made}@example.net"
        if self._chance.random() < BROKEN_SHARE:
            broken = self._chance.choice(_BREAKS).replace("ID", external_id)
            return [Mail(external_id, self._made, broken.encode(), broken=True)]
        mail = self._mail(external_id)
        if self._chance.random() >= TWICE_SHARE:
            return [mail]
        copy = Mail(mail.external_id, mail.thread, mail.body, copy=True)
        if self._chance.random() >= LATE_SHARE:
            return [mail, copy]
        self._late[self._chance.randrange(LATE_BY)].append(copy)
        return [mail]

    def _mail(self, external_id: str) -> Mail:
        if not self._threads or self._chance.random() < NEW_SHARE:
            thread, contact, references = self._made, self._chance.randrange(CONTACTS), tuple[str, ...]()
            self._threads.append((thread, contact, external_id))
        else:
            place = self._chance.randrange(len(self._threads))
            thread, contact, before = self._threads[place]
            self._threads[place] = (thread, contact, external_id)
            references = (before,)
        return Mail(external_id, thread, _body(external_id, contact, thread, references))


def mixed(mails: Sequence[Mail], chance: random.Random) -> list[Mail]:
    """The mails in another order; those of one thread keep theirs."""
    places = [mail.thread for mail in mails]
    chance.shuffle(places)
    threads: dict[int, deque[Mail]] = defaultdict(deque)
    for mail in mails:
        threads[mail.thread].append(mail)
    return [threads[thread].popleft() for thread in places]


def _body(external_id: str, contact: int, thread: int, references: tuple[str, ...]) -> bytes:
    message = InboundMessage(
        external_id=external_id,
        sender=Identity(email=f"person{contact}@org{contact % ORGANISATIONS}.example", name=f"Person {contact}"),
        title=f"Thread {thread}",
        text=f"This is {external_id}: since this morning the export of our report stops at 40 %.",
        thread=ThreadHints(references=references),
    )
    return message.model_dump_json(exclude_defaults=True).encode()

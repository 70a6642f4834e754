"""What the mail channel hears, and what its own SMTP server asks it."""

from deskstream.channel_email import store
from deskstream.channel_email.domain import AcceptMail, decide, evolve
from deskstream.contracts.outbound import OutboundMessage
from deskstream.contracts.subjects import outbound_lane
from deskstream.messaging import Aggregate, Answer, Deliver
from deskstream.messaging.declare import Answers, Hears

CHANNEL = "email"

# Rows are only ever added, under a key that two replicas cannot both insert.
MAILS = Aggregate("mail", store.load, store.save, decide, evolve, locks=False)

HEARS: list[Hears] = [Deliver(OutboundMessage, outbound_lane(CHANNEL))]
ANSWERS: list[Answers] = [
    Answer(AcceptMail, MAILS, key=lambda asked: asked.key, result=lambda mail, said: {"new": bool(said)})
]

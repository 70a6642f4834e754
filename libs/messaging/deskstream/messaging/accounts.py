"""Accounts at the broker: the desk's, which has the streams, and one for whoever must reach nothing but what he may.

An allow list names subjects that a client publishes on, and not the subject that he wants an answer on. Within the
account that has the streams, JetStream answers there with rights of its own: it would delete a stream for anybody who
may ask it anything. An answer into another account reaches only what that account imports.
"""

from typing import Final
from weakref import WeakSet

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.manager import JetStreamManager
from pydantic import BaseModel, ValidationError

DESK: Final = "DESK"
"""The account of the operator, of the streams, and of all who have none of their own."""

ABOUT_ONESELF: Final = "$SYS.REQ.USER.INFO"
"""Where anybody may ask the server who it takes him for, and what he may."""

API: Final = "$JS.API"
API_FROM_APART: Final = f"{DESK}.API"
"""The same for whoever has an account of his own, in which the broker's name for it is that account's."""

_ANSWER_WITHIN_S: Final = 5.0
_APART: Final[WeakSet[Client]] = WeakSet()

log = structlog.get_logger()


class _Told(BaseModel):
    account: str = ""


class _Answer(BaseModel):
    data: _Told = _Told()


async def learn_account(client: Client, user: str) -> None:
    """Asks the broker in whose account we are; after every connect, for a reload may have moved us."""
    try:
        answer = await client.request(ABOUT_ONESELF, b"", timeout=_ANSWER_WITHIN_S)
        account = _Answer.model_validate_json(answer.data).data.account
    except (NatsError, TimeoutError, ValidationError) as error:
        log.warning("account_unknown", service=user, reason=repr(error)[:300])
        return
    if account == user:
        _APART.add(client)
    else:
        _APART.discard(client)


def api_of(client: Client) -> str:
    """What JetStream's subjects begin with for this connection."""
    return API_FROM_APART if client in _APART else API


def manager_of(client: Client) -> JetStreamManager:
    """The client's own, which asks where this connection may."""
    return client.jsm(prefix=api_of(client))

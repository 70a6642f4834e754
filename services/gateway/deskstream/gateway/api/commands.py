"""POST /api/conversations/{conversation}/{what}: every command that a conversation takes, from one table."""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic_core import to_json

from deskstream.contracts import Command, conversation_tickets, routing
from deskstream.contracts import conversation as wishes
from deskstream.contracts.ids import AgentId
from deskstream.contracts.inbound import MESSAGE_LIMIT
from deskstream.contracts.sla import ExplainClocks
from deskstream.gateway.api.caller import Caller, author, caller
from deskstream.gateway.api.context import Context, context
from deskstream.gateway.api.documents import asked, document, schema_of
from deskstream.gateway.api.pages import Named, conversation_id
from deskstream.gateway.api.problems import HttpProblem
from deskstream.gateway.api.statuses import status_of
from deskstream.messaging import RequestKey, Running

router = APIRouter()

_KEY = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, slots=True)
class Offer:
    """A command by the address it is posted to."""

    path: str
    kind: type[Command]
    status: HTTPStatus = HTTPStatus.OK
    as_agent: bool = False
    """The command itself names the agent; it is the caller."""


def _on(what: str) -> str:
    return f"/api/conversations/{{conversation}}/{what}"


OFFERS = (
    Offer("/api/conversations", wishes.StartConversation, HTTPStatus.CREATED),
    Offer("/api/next-up", routing.NextUp, as_agent=True),
    # Accepted, not sent yet: it can be undone until it is released.
    Offer(_on("replies"), wishes.SendReply, HTTPStatus.ACCEPTED),
    Offer(_on("undo-reply"), wishes.UndoReply),
    Offer(_on("retry-reply"), wishes.RetryReply, HTTPStatus.ACCEPTED),
    Offer(_on("notes"), wishes.AddNote),
    Offer(_on("title"), wishes.SetTitle),
    Offer(_on("participants"), wishes.AddParticipant),
    Offer(_on("tags"), wishes.ChangeTags),
    Offer(_on("priority"), wishes.SetPriority),
    Offer(_on("share"), wishes.Share),
    Offer(_on("snooze"), wishes.Snooze),
    Offer(_on("end-snooze"), wishes.EndSnooze),
    Offer(_on("hold"), wishes.Hold),
    Offer(_on("end-wait"), wishes.EndWait),
    Offer(_on("resolve"), wishes.Resolve),
    Offer(_on("archive"), wishes.Archive),
    Offer(_on("review"), wishes.Review),
    Offer(_on("claim"), routing.Claim, as_agent=True),
    Offer(_on("hand-over"), routing.HandOver),
    Offer(_on("prefill-ticket"), conversation_tickets.PrefillTicket),
    Offer(_on("dismiss-ticket-suggestion"), conversation_tickets.DismissTicketSuggestion),
)

GIVEN = frozenset({"conversation_id", "agent"})
"""Fields that the address or the caller gives, where a command has them."""

CALLS: tuple[type[Command], ...] = (*(offer.kind for offer in OFFERS), ExplainClocks)


def idempotency_key(
    agent: Annotated[AgentId, Depends(author)], given: Annotated[str | None, Header(alias="Idempotency-Key")] = None
) -> str:
    """The caller's key, which is the caller's own: two agents with the same one are two commands."""
    if given is None:
        return f"{agent}:{uuid4()}"
    if not _KEY.fullmatch(given):
        raise HttpProblem(
            HTTPStatus.BAD_REQUEST, "bad_idempotency_key", "Idempotency-Key: 1 to 128 visible ASCII characters."
        )
    return f"{agent}:{given}"


async def run(
    running: Running, command: Command, *, key: str | RequestKey | None = None, actor: str | None
) -> dict[str, Any]:
    """What the owner of the rule answers; raises `HttpProblem` when it refuses."""
    if len(command.model_dump_json()) > MESSAGE_LIMIT:
        raise HttpProblem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", "A command may have 64 KiB as a message.")
    answered = await running.call(command, idempotency_key=key, actor=actor)
    if answered.ok:
        return answered.result
    if answered.error is None:
        raise HttpProblem(HTTPStatus.BAD_GATEWAY, "no_answer", "The service refused without saying why.")
    refusal = answered.error
    raise HttpProblem(status_of(refusal.code), refusal.code, refusal.sentence, **refusal.details)


@dataclass(slots=True)
class Asking:
    """A request for a command: who asks, with which key, and where the answer comes from."""

    request: Request
    here: Annotated[Context, Depends(context)]
    agent: Annotated[AgentId, Depends(author)]
    key: Annotated[str, Depends(idempotency_key)]
    _sent: dict[str, Any] = field(init=False, default_factory=dict)

    async def fields(self) -> dict[str, Any]:
        """What the body says."""
        self._sent = await document(self.request)
        return dict(self._sent)

    async def run(self, command: Command, *, step: str = "") -> dict[str, Any]:
        """Runs a command that the request asks for, or one `step` of it.

        A repeated request is known by what was sent: what is looked up for it may read otherwise by then.
        """
        key = RequestKey(f"{self.key}:{step}" if step else self.key, self._digest())
        return await run(self.here.running, command, key=key, actor=self.agent)

    def _digest(self) -> str:
        asked = self.request
        whole = [asked.method, asked.url.path, asked.url.query, asked.headers.get("if-match"), self._sent]
        return sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()

    async def answer(self, offer: Offer, given: dict[str, Any]) -> Response:
        """Runs the offer's command with the request's body; `given` says what the address says already."""
        if offer.as_agent:
            given = given | {"agent": self.agent}
        command = asked(offer.kind, await self.fields(), given)
        result = await self.run(command)
        return Response(to_json(result), offer.status, media_type="application/json")


def _about_conversation(offer: Offer) -> Callable[..., Awaitable[Response]]:
    async def answer(asking: Annotated[Asking, Depends()], conversation: Named) -> Response:
        found = await conversation_id(asking.here.running, conversation)
        return await asking.answer(offer, {"conversation_id": found})

    return answer


def _about_nothing_yet(offer: Offer) -> Callable[..., Awaitable[Response]]:
    async def answer(asking: Annotated[Asking, Depends()]) -> Response:
        return await asking.answer(offer, {})

    return answer


for _offer in OFFERS:
    router.add_api_route(
        _offer.path,
        (_about_conversation if "{conversation}" in _offer.path else _about_nothing_yet)(_offer),
        methods=["POST"],
        status_code=_offer.status,
        operation_id=_offer.kind.NAME,
        summary=_offer.kind.NAME.replace("_", " ").capitalize(),
        description=_offer.kind.__doc__ or "",
        openapi_extra={"requestBody": {"content": {"application/json": {"schema": schema_of(_offer.kind)}}}},
    )


@router.get("/api/conversations/{conversation}/clocks", summary="Why is this due then: every segment of every clock")
async def explain_clocks(
    conversation: Named, here: Annotated[Context, Depends(context)], found: Annotated[Caller, Depends(caller)]
) -> Response:
    """Asked of the SLA service, which computes it from the events."""
    wanted = ExplainClocks(conversation_id=await conversation_id(here.running, conversation))
    return Response(to_json(await run(here.running, wanted, actor=found.agent)), media_type="application/json")

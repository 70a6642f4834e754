"""What a ticket is about and whose it is: fields, requester, conversations, tasks."""

from datetime import datetime
from typing import Any, Final

from deskstream.contracts import Event, Refused
from deskstream.contracts.chain_facts import TicketFacts, TicketType
from deskstream.contracts.linked import UNSOLVED, ConversationRef
from deskstream.contracts.ticket_commands import (
    AddTicketTask,
    ChangeTicket,
    ChangeTicketTask,
    LinkConversation,
    SwitchRequester,
    UnlinkConversation,
)
from deskstream.contracts.ticketing import (
    ConversationLinked,
    ConversationUnlinked,
    CustomerEngineerTold,
    RequesterSwitched,
    TicketChanged,
    TicketTaskChanged,
)
from deskstream.ticketing.domain import tasks
from deskstream.ticketing.domain.ticket import stages
from deskstream.ticketing.domain.ticket.changing import said
from deskstream.ticketing.domain.ticket.opening import insist_on_account, insist_on_part
from deskstream.ticketing.domain.ticket.stages import Happening
from deskstream.ticketing.domain.ticket.state import CONVERSATIONS_LIMIT
from deskstream.ticketing.domain.versions import before
from deskstream.ticketing.domain.wishes import Wish

_PLAIN: Final = ("title", "type", "severity", "needs_code_change", "internal")
_PEOPLE: Final = ("owner", "customer_engineer")


def change(facts: TicketFacts, wish: Wish[ChangeTicket], now: datetime) -> list[Event]:
    """W5. What is closed or canceled is locked."""
    asked = wish.command
    insist_on_unlocked(facts)
    if facts.side_of is not None and asked.type not in (None, TicketType.TASK):
        raise Refused("side_task_stays_task", "A side task is a ticket of type task. Open another ticket instead.")
    wanted: dict[str, Any] = {name: getattr(asked, name) for name in _PLAIN if getattr(asked, name) is not None}
    wanted |= {name: getattr(asked, name) or None for name in _PEOPLE if getattr(asked, name) is not None}
    if asked.part_id is not None:
        wanted["part"] = insist_on_part(wish.known.part)
    changes = {name: value for name, value in wanted.items() if getattr(facts, name) != value}
    if "customer_engineer" in changes:
        changes["engineer_told"] = False
    was = before(facts, changes)
    return [said(TicketChanged, facts, now, changes, fields=tuple(changes), before=was)] if changes else []


def switch_requester(facts: TicketFacts, asked: SwitchRequester, now: datetime) -> list[Event]:
    insist_on_unlocked(facts)
    insist_on_account(asked)
    changes = {"requester": asked.requester, "account": asked.account, "workspace": asked.workspace}
    if all(getattr(facts, name) == value for name, value in changes.items()):
        return []
    was = facts.requester.id if facts.requester else None
    return [said(RequesterSwitched, facts, now, changes, before=was)]


def link_conversation(facts: TicketFacts, asked: LinkConversation, now: datetime) -> list[Event]:
    """Linked once, however often it is asked for."""
    insist_on_unlocked(facts)
    return _linked(facts, asked.conversation, now)


def link_if_there_is_room(facts: TicketFacts, conversation: ConversationRef, now: datetime) -> list[Event]:
    """A conversation that waits for the ticket, or follows up one of its own: nobody asked who could be refused."""
    full = len(facts.conversations) >= CONVERSATIONS_LIMIT
    return [] if full or facts.stage in (stages.CLOSED, stages.CANCELED) else _linked(facts, conversation, now)


def _linked(facts: TicketFacts, conversation: ConversationRef, now: datetime) -> list[Event]:
    if any(other.id == conversation.id for other in facts.conversations):
        return []
    if len(facts.conversations) >= CONVERSATIONS_LIMIT:
        sentence = f"{CONVERSATIONS_LIMIT} conversations are linked. Open a ticket of its own, on the same issue."
        raise Refused("too_many_conversations", sentence)
    changes = {"conversations": (*facts.conversations, conversation)}
    return [said(ConversationLinked, facts, now, changes, conversation=conversation)]


def unlink_conversation(facts: TicketFacts, asked: UnlinkConversation, now: datetime) -> list[Event]:
    insist_on_unlocked(facts)
    known = next((other for other in facts.conversations if other.id == asked.conversation_id), None)
    if known is None:
        raise Refused("conversation_not_linked", f"That conversation is not linked to TKT-{facts.number}.")
    changes = {"conversations": tuple(other for other in facts.conversations if other is not known)}
    return [said(ConversationUnlinked, facts, now, changes, conversation=known, reason=asked.reason)]


def tag_engineer(facts: TicketFacts, now: datetime) -> list[Event]:
    if facts.customer_engineer is None:
        raise Refused("no_customer_engineer", "The ticket has no customer engineer. Name one first.")
    insist_on_unlocked(facts)
    return [
        said(CustomerEngineerTold, facts, now, {"engineer_told": True}, engineer=facts.customer_engineer, why="tagged")
    ]


def add_task(facts: TicketFacts, wish: Wish[AddTicketTask], now: datetime) -> list[Event]:
    """W7: born from the ticket, so it has to be there before the ticket is solved."""
    _insist_on_unsolved(facts)
    assert wish.task_id is not None
    task = tasks.added(facts.tasks, wish.task_id, wish.command.title, wish.command.owner)
    changes = {"tasks": tasks.replaced(facts.tasks, task)}
    return [said(TicketTaskChanged, facts, now, changes, task=task, how="added")]


def change_task(facts: TicketFacts, asked: ChangeTicketTask, now: datetime) -> list[Event]:
    insist_on_unlocked(facts)
    if asked.how == "reopened":
        _insist_on_unsolved(facts)
    task = tasks.changed(facts.tasks, asked.number, asked.how, asked.owner)
    changes = {"tasks": tasks.replaced(facts.tasks, task)}
    return [said(TicketTaskChanged, facts, now, changes, task=task, how=asked.how, reason=asked.reason)]


def insist_on_unlocked(facts: TicketFacts) -> None:
    """Raises `Refused` for what is closed or canceled."""
    if facts.stage in (stages.CLOSED, stages.CANCELED):
        raise stages.refusal(Happening.WORKED_ON, facts.stage)


def _insist_on_unsolved(facts: TicketFacts) -> None:
    if facts.stage not in UNSOLVED:
        raise stages.refusal(Happening.WORKED_ON, facts.stage)

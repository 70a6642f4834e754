"""How a ticket begins: somebody opens it, or a customer answers a closed one."""

from datetime import datetime

from deskstream.contracts import Event, Refused
from deskstream.contracts.chain_facts import PartRef, TicketFacts, TicketType
from deskstream.contracts.ids import AgentId, TicketId
from deskstream.contracts.linked import IssueRef, TicketStage
from deskstream.contracts.links import TicketContinued
from deskstream.contracts.ticket_commands import OpenTicket, SwitchRequester
from deskstream.contracts.ticketing import TicketOpened
from deskstream.ticketing.domain.ticket.state import Unopened
from deskstream.ticketing.domain.wishes import Wish
from deskstream.ticketing.domain.wording import written


def open_ticket(state: Unopened, wish: Wish[OpenTicket], now: datetime) -> list[Event]:
    """W1, W2: on a part, linked to the conversation that it came from."""
    asked = wish.command
    insist_on_account(asked)
    part = insist_on_part(wish.known.part)
    issues = (insist_on_issue(wish.known.issue),) if asked.issue_id else ()
    side = asked.side_of is not None
    facts = TicketFacts(
        id=state.id,
        number=state.number,
        version=1,
        stage=TicketStage.NEW,
        type=TicketType.TASK if side else asked.type,
        severity=asked.severity,
        title=asked.title,
        part=part,
        owner=AgentId(asked.owner) if asked.owner else None,
        internal=asked.internal or side,
        channel=asked.channel,
        requester=asked.requester,
        account=asked.account,
        workspace=asked.workspace,
        customer_engineer=AgentId(asked.customer_engineer) if asked.customer_engineer else None,
        needs_code_change=asked.needs_code_change,
        conversations=(asked.conversation,) if asked.conversation else (),
        issues=issues,
        side_of=asked.side_of,
        created_at=now,
    )
    return [TicketOpened(ticket_id=state.id, at=now, after=facts, text=written(asked.text), messages=asked.messages)]


def continue_ticket(state: Unopened, said: TicketContinued, now: datetime) -> list[Event]:
    """W4: the follow-up of a closed ticket knows all that the closed one knew of the customer."""
    facts = TicketFacts(
        id=TicketId(state.id),
        number=state.number,
        version=1,
        stage=TicketStage.NEW,
        type=said.type,
        severity=said.severity,
        title=said.title,
        part=said.part,
        owner=said.owner,
        internal=said.internal,
        channel=said.channel,
        requester=said.requester,
        account=said.account,
        workspace=said.workspace,
        customer_engineer=said.customer_engineer,
        conversations=(said.conversation,),
        follow_up_of=said.follow_up_of,
        created_at=now,
    )
    return [TicketOpened(ticket_id=state.id, at=now, after=facts, messages=(said.message_id,))]


def insist_on_part(part: PartRef | None) -> PartRef:
    """The part that was named, or the default one."""
    if part is None:
        raise Refused("part_not_found", "There is no such part. List the parts to see their numbers.")
    return part


def insist_on_issue(issue: IssueRef | None) -> IssueRef:
    """The issue that was named."""
    if issue is None or issue.deleted:
        raise Refused("issue_not_found", "There is no such issue. List the issues to see their numbers.")
    return issue


def insist_on_account(asked: OpenTicket | SwitchRequester) -> None:
    """W5: account and workspace follow from the requester; raises `Refused` for one that follows from nobody."""
    if asked.workspace is not None and asked.account is None:
        raise Refused("workspace_without_account", "A workspace is an account's: name both as the CRM tells them.")

"""`deskstream why`."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

import typer

from deskstream.cli import output
from deskstream.cli.asking import Client, ask, services_of
from deskstream.cli.clean import one_line
from deskstream.cli.execution import carry_out
from deskstream.cli.names import conversation_name
from deskstream.cli.place import Place, find_place
from deskstream.cli.problem import Problem
from deskstream.cli.why.clocks import show_clocks
from deskstream.cli.why.decisions import show_decisions
from deskstream.contracts import Command
from deskstream.contracts.conversation import FindConversation
from deskstream.contracts.ids import AgentId, ConversationId
from deskstream.contracts.routing import Explain
from deskstream.contracts.sla import ExplainClocks

app = typer.Typer()


@app.command()
def command(
    conversation: Annotated[str, typer.Argument(help="CONV-12, or an id.")],
    agent: Annotated[str | None, typer.Option(help="Why, or why not, this agent.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Earlier decisions in full, too.")] = False,
    as_json: output.AsJson = False,
) -> None:
    """Why this owner, and why is it due then?

    Shows the decision about the owner with every rule tried and every candidate passed over, and every response clock
    with the hours it ran in, which add up to the second.
    """
    found = carry_out(_explain(find_place(), conversation_name(conversation), agent))
    if as_json:
        output.say_json(found)
        return
    facts = found["conversation"]
    output.line(f"CONV-{facts['number']} “{one_line(facts.get('title') or '', 100)}”, {facts['stage']}")
    output.line("")
    owner, clocks = found["owner"], found["clocks"]
    if answer := owner.get("why"):
        output.line(f"{one_line(answer, 500)}\n")
    output.line(owner["problem"]) if "problem" in owner else show_decisions(owner, everything=everything)
    output.line("")
    output.line(clocks["problem"]) if "problem" in clocks else show_clocks(clocks)


async def _explain(place: Place, name: str, agent: str | None) -> dict[str, Any]:
    async with services_of(place) as client:
        facts = (await ask(client, _find(name)))["conversation"]
        identity = ConversationId(UUID(facts["id"]))
        owner, clocks = await asyncio.gather(
            _tried(client, Explain(conversation_id=identity, agent=AgentId(agent) if agent else None)),
            _tried(client, ExplainClocks(conversation_id=identity)),
        )
    return {"conversation": facts, "owner": owner, "clocks": clocks}


def _find(name: str) -> FindConversation:
    if name.startswith("CONV-"):
        return FindConversation(number=int(name[5:]))
    return FindConversation(conversation_id=UUID(name))


async def _tried(client: Client, command: Command) -> dict[str, Any]:
    """One of the two services may not run, or not know it yet: the other's reasons are worth showing."""
    try:
        return await ask(client, command)
    except Problem as problem:
        return {"problem": problem.sentence}

"""`deskstream chain`."""

from typing import Annotated, Any
from uuid import UUID

import typer

from deskstream.cli import output
from deskstream.cli.asking import ask, services_of
from deskstream.cli.execution import carry_out
from deskstream.cli.place import Place, find_place
from deskstream.cli.work.drawing import tree_of
from deskstream.cli.work.names import Member, member_of
from deskstream.contracts.crm import FindAccount
from deskstream.contracts.ticket_commands import ReadChain

app = typer.Typer()


@app.command()
def command(
    name: Annotated[str, typer.Argument(help="TKT-7, ISS-31, CONV-12, PART-4 or ACC-3.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="No more tickets than so many.")] = 50,
    as_json: output.AsJson = False,
) -> None:
    """Draw what hangs together: conversation, ticket, issue, part and account, from any one of them."""
    member = member_of(name)
    chain, account = carry_out(_read(find_place(), member, limit))
    if as_json:
        output.say_json(chain)
    else:
        output.console().print(tree_of(chain, member, account), soft_wrap=True)


async def _read(place: Place, member: Member, limit: int) -> tuple[dict[str, Any], str]:
    """The chain, and the account's name where an account is asked for: its number is the CRM's."""
    async with services_of(place) as client:
        if member.kind != "account":
            return await ask(client, ReadChain(**{member.kind: member.number}, limit=limit)), ""
        found = await ask(client, FindAccount(number=str(member.number)))
        return await ask(client, ReadChain(account_id=UUID(found["id"]), limit=limit)), str(found["name"])

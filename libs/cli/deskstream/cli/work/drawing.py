"""A chain as a tree, from whichever of its members one looks."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rich.text import Text
from rich.tree import Tree

from deskstream.cli.clean import one_line
from deskstream.cli.work.names import Member
from deskstream.contracts.linked import TicketStage
from deskstream.contracts.vistas import Turn, turn_of

Found = Mapping[str, Any]

_OVER: Final = ("solved", "closed", "canceled", "completed", "wont_fix", "duplicate")
# Those who are waited for are named instead, and over is over.
_TURNS: Final[Mapping[Turn, str]] = {"us": "our turn", "customer": "the customer's turn"}
_PREFIX: Final = {"ticket": "TKT", "issue": "ISS", "conversation": "CONV", "part": "PART", "account": "ACC"}


def tree_of(chain: Found, member: Member, account: str = "") -> Tree:
    """The member, its tickets below it, and below each ticket what hangs on it."""
    tree = _whole_tree(chain, member, account)
    if chain["more"]:
        tree.add(Text("and more", style="dim"))
    return tree


def _whole_tree(chain: Found, member: Member, account: str) -> Tree:
    tickets = chain["tickets"]
    if member.kind == "ticket":
        (ticket,) = tickets
        return _below(Tree(_ticket(ticket), highlight=False), ticket, chain, without="")
    root = Tree(_root(chain, member, account), highlight=False)
    for ticket in tickets:
        _below(root.add(_ticket(ticket)), ticket, chain, without=member.kind)
    for issue in _without_ticket(chain, member):
        root.add(_issue(issue, waits=member.kind == "conversation"))
    if member.kind == "issue":
        _waiting_below(root, _numbered(chain["issues"], member.number))
    if member.kind == "part":
        _parts_below(root, member.number, chain["parts"])
    if not tickets:
        root.add(Text("no tickets", style="dim"))
    return root


def _root(chain: Found, member: Member, account: str) -> Text:
    name = f"{_PREFIX[member.kind]}-{member.number}"
    if member.kind == "issue":
        return _issue(_numbered(chain["issues"], member.number))
    if member.kind == "part":
        return Text(_part(member.number, chain["parts"]))
    return Text.assemble((name, "bold"), f" {one_line(account, 80)}" if account else "")


def _below(node: Tree, ticket: Found, chain: Found, without: str) -> Tree:
    if ticket["account"] and without != "account":
        node.add(Text(one_line(ticket["account"], 80)))
    if without != "conversation":
        for number in ticket["conversations"]:
            node.add(f"CONV-{number}")
    if without != "issue":
        for number in ticket["issues"]:
            issue = _numbered(chain["issues"], number)
            one = node.add(_issue(issue, waits=f"ISS-{number}" in ticket["waits"]))
            for relation in issue.get("relations", ()):
                one.add(f"{relation['kind']} ISS-{relation['issue']}")
            _waiting_below(one, issue)
    if without != "part":
        node.add(_part(ticket["part"], chain["parts"]))
    return node


def _without_ticket(chain: Found, member: Member) -> list[Found]:
    """The issues that hang on the member itself, with no ticket shown that has them."""
    shown = {number for ticket in chain["tickets"] for number in ticket["issues"]}
    others = [issue for issue in chain["issues"] if issue["number"] not in shown]
    if member.kind == "conversation":
        return [issue for issue in others if member.number in issue.get("waiting", ())]
    known = {part["number"]: part for part in chain["parts"]}
    return [issue for issue in others if member.kind == "part" and _is_below(issue["part"], member.number, known)]


def _is_below(number: int, top: int, parts: Mapping[int, Found]) -> bool:
    """Whether a part is this one, or somewhere below it."""
    for _ in range(len(parts) + 1):
        if number == top:
            return True
        if number not in parts or parts[number]["parent"] is None:
            return False
        number = parts[number]["parent"]
    return False


def _waiting_below(node: Tree, issue: Found) -> None:
    for number in issue.get("waiting", ()):
        node.add(f"CONV-{number} waits for it")


def _parts_below(root: Tree, number: int, parts: Iterable[Found]) -> None:
    for part in parts:
        if part["parent"] == number:
            root.add(f"PART-{part['number']} {one_line(part['name'], 80)}, {part['kind']}")


def _ticket(ticket: Found) -> Text:
    turn = turn_of(TicketStage(ticket["stage"]))
    told = _TURNS.get(turn)
    if turn == "others" and ticket["waits"]:
        told = f"until {one_line(' and '.join(ticket['waits']), 60)}"
    words = [told, one_line(ticket["owner"] or "", 20), "deleted" if ticket["deleted"] else ""]
    more = "".join(f", {word}" for word in words if word)
    return _titled(f"TKT-{ticket['number']}", ticket["title"], ticket["stage"], more)


def _issue(issue: Found, *, waits: bool = False) -> Text:
    told = [word for word, holds in (("confidential", issue.get("confidential")), ("waited for", waits)) if holds]
    if issue.get("deleted"):
        told.append("deleted")
    weight = issue.get("weight", {}).get("tickets", 0)
    told.append(f"{weight} ticket{'' if weight == 1 else 's'}")
    return _titled(f"ISS-{issue['number']}", issue["title"], issue["stage"], f", {', '.join(told)}")


def _titled(name: str, title: str, stage: str, more: str) -> Text:
    shown = stage.replace("_", " ")
    return Text.assemble(
        (name, "bold"), f" “{one_line(title, 80)}”, ", (shown, "dim" if stage in _OVER else "yellow"), more
    )


def _part(number: int, parts: Iterable[Found]) -> str:
    """`PART-4 Checkout ‹ PART-2 Shop`."""
    known = {part["number"]: part for part in parts}
    names: list[str] = []
    at = known.get(number)
    while at is not None and len(names) < len(known):
        names.append(f"PART-{at['number']} {one_line(at['name'], 60)}")
        at = known.get(at["parent"])
    return " ‹ ".join(names) or f"PART-{number}"


def _numbered(found: Iterable[Found], number: int) -> Found:
    return next((one for one in found if one["number"] == number), {"number": number, "title": "", "stage": "unknown"})

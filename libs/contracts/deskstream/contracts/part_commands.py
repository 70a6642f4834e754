"""What ticketing can be asked about the parts of the product."""

from typing import Literal

from pydantic import Field

from deskstream.contracts.chain_facts import Maturity, PartKind
from deskstream.contracts.ids import PartId
from deskstream.contracts.message import Command
from deskstream.contracts.ticket_commands import Handle, Reason, Title, Version


class SavePart(Command, service="ticketing"):
    """Makes a part, or changes the fields given of one that is named."""

    part_id: PartId | None = None
    """None: a new one."""
    name: Title | None = None
    kind: PartKind | None = None
    parent: PartId | None = None
    owners: tuple[Handle, ...] | None = Field(None, max_length=50)
    workers: tuple[Handle, ...] | None = Field(None, max_length=200)
    first_expert: Handle | None = None
    second_expert: Handle | None = None
    maturity: Maturity | None = None
    default: bool | None = None
    """True: intake that names no part goes here from now on."""
    version: int | None = Field(None, ge=1)


class MovePart(Command, service="ticketing"):
    part_id: PartId
    parent: PartId


class DeletePart(Command, service="ticketing"):
    """Refused while work hangs on it."""

    part_id: PartId
    reason: Reason
    version: Version = None


class RestorePart(Command, service="ticketing"):
    part_id: PartId


class FindPart(Command, service="ticketing"):
    number: int | None = Field(None, ge=1, le=2**53)
    part_id: PartId | None = None


class ListParts(Command, service="ticketing"):
    """The product tree, parents first."""

    below: PartId | None = None
    sort: Literal["tree", "weight"] = "tree"
    skip: int = Field(0, ge=0, le=100_000)
    limit: int = Field(100, ge=1, le=200)

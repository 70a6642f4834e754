"""POST /api/tickets/bulk, …/issues/bulk, …/parts/bulk (W9): one action over selected rows, and what takes it back."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID, uuid5

from fastapi import APIRouter, Depends, Response
from pydantic import Field
from pydantic_core import to_json

from deskstream.contracts import Command, Contract, issues, part_commands, ticket_commands
from deskstream.gateway.api.commands import Asking, run
from deskstream.gateway.api.documents import asked, document, schema_of, schemas_of
from deskstream.gateway.api.preconditions import no_precondition
from deskstream.gateway.api.problems import HttpProblem, validation_problem
from deskstream.gateway.api.work_names import ISSUE, PART, TICKET, Kind, Who, id_of

router = APIRouter(dependencies=[Depends(no_precondition)])

ROWS_LIMIT: Final = 100
_KEYS: Final = UUID("6f0c1f0a-8f0e-4d0c-9f57-1f6a0d2f7b55")
_TAKEN_BACK: Final = "Taken back"

_COMMANDS: Final[dict[Kind, dict[str, type[Command]]]] = {
    TICKET: {
        "delete": ticket_commands.DeleteTicket,
        "restore": ticket_commands.RestoreTicket,
        "change": ticket_commands.ChangeTicket,
    },
    ISSUE: {
        "delete": issues.DeleteIssue,
        "restore": issues.RestoreIssue,
        "change": issues.ChangeIssue,
        "move": issues.MoveIssue,
    },
    PART: {"delete": part_commands.DeletePart, "restore": part_commands.RestorePart},
}
"""Only what can be taken back: solving and canceling cannot (W3), and are asked ticket by ticket."""

_FIELDS: Final = frozenset(
    {"reason", "owner", "part_id", "severity", "type", "needs_code_change", "customer_engineer", "internal", "stage"}
)
"""Of these a change says what they were; titles and texts are each row's own."""


class BulkRow(Contract):
    name: str = Field(min_length=1, max_length=64, description="Its id, or its name such as TKT-7.")
    version: int | None = Field(None, ge=1, description="The version that was seen; none is whichever.")
    fields: dict[str, Any] = Field({}, description="What this row gets beside what all get.")


class BulkAction(Contract):
    """An action over selected rows, done one after the other; a row that is refused holds up no other."""

    action: str = Field(description="delete, restore, change; of issues also move.")
    fields: dict[str, Any] = Field({}, description="What the command of one row takes: `reason`, `owner`, `stage` …")
    rows: tuple[BulkRow, ...] = Field(min_length=1, max_length=ROWS_LIMIT)


def schemas() -> dict[str, Any]:
    """How a body looks, by name."""
    return schemas_of([BulkAction], frozenset())


def _bulk(kind: Kind) -> Callable[..., Awaitable[Response]]:
    async def act(asking: Annotated[Asking, Depends()], who: Who) -> Response:
        wanted = asked(BulkAction, await document(asking.request), {})
        _check(kind, wanted)
        rows = [await _one(asking, who, kind, wanted, row) for row in wanted.rows]
        done = [row for row in rows if row["done"]]
        content = {"rows": rows, "done": len(done), "refused": len(rows) - len(done), "undo": _undo(wanted, rows)}
        return Response(to_json(content), HTTPStatus.OK, media_type="application/json")

    return act


def _check(kind: Kind, wanted: BulkAction) -> None:
    """Before anything is done: an action there is, each row once, and fields that the command of each row takes."""
    if wanted.action not in _COMMANDS[kind]:
        raise _invalid("action", f"One of {', '.join(_COMMANDS[kind])}")
    names = [row.name.casefold() for row in wanted.rows]
    if len(set(names)) < len(names):
        raise _invalid("rows", "A row is named twice")
    for row in wanted.rows:
        if unknown := (wanted.fields.keys() | row.fields.keys()) - _FIELDS:
            raise _invalid("fields", f"No bulk action takes {', '.join(sorted(unknown))[:100]}")
        _command(kind, wanted, row, UUID(int=0))


def _invalid(field: str, reason: str) -> HttpProblem:
    return validation_problem([{"loc": (field,), "msg": reason}], HTTPStatus.UNPROCESSABLE_ENTITY)


def _command(kind: Kind, wanted: BulkAction, row: BulkRow, object_id: UUID) -> Command:
    command = _COMMANDS[kind][wanted.action]
    given: dict[str, Any] = {kind.id_field: object_id}
    if "version" in command.model_fields:
        given["version"] = row.version
    return asked(command, wanted.fields | row.fields, given)


async def _one(asking: Asking, who: Who, kind: Kind, wanted: BulkAction, row: BulkRow) -> dict[str, Any]:
    """What became of a row. Its key follows from the request's, so that a repeated request does nothing twice."""
    try:
        object_id = await id_of(asking.here, kind, row.name, who)
        key = f"{asking.agent}:{uuid5(_KEYS, f'{asking.key} {wanted.action} {object_id}')}"
        result = await run(asking.here.running, _command(kind, wanted, row, object_id), key=key, actor=asking.agent)
    except HttpProblem as refused:
        return _refused(row, refused.status, refused.code, refused.sentence, refused.details)
    except (TimeoutError, OSError):
        sentence = "It did not answer. Repeat this with the same Idempotency-Key: what was done is not done again."
        return _refused(row, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", sentence, {})
    version = result[kind.name]["version"]
    return {"name": row.name, "done": True, "version": version, "before": result.get("before", {})}


def _refused(row: BulkRow, status: HTTPStatus, code: str, sentence: str, details: dict[str, object]) -> dict[str, Any]:
    problem = {"status": status, "code": code, "detail": sentence, "details": details}
    return {"name": row.name, "done": False, "problem": problem}


def _undo(wanted: BulkAction, rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The body that takes this back, posted to the same address; what somebody changed since is not taken back."""
    done = [row for row in rows if row["done"]]
    match wanted.action:
        case "delete":
            return _taking_back("restore", {}, [{"name": row["name"]} for row in done])
        case "restore":
            back = [{"name": row["name"], "version": row["version"]} for row in done]
            return _taking_back("delete", {"reason": _TAKEN_BACK}, back)
        case _:
            reason = {"reason": _TAKEN_BACK} if wanted.action == "move" else {}
            back = [
                {"name": row["name"], "version": row["version"], "fields": row["before"]}
                for row in done
                if row["before"]
            ]
            return _taking_back(wanted.action, reason, back)


def _taking_back(action: str, fields: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    return {"action": action, "fields": fields, "rows": rows} if rows else None


for _kind in _COMMANDS:
    router.add_api_route(
        f"/api/{_kind.name}s/bulk",
        _bulk(_kind),
        methods=["POST"],
        operation_id=f"bulk_{_kind.name}s",
        summary=f"One action over selected {_kind.name}s",
        description=f"Up to {ROWS_LIMIT} rows. Says of each what became of it; `undo` is the body that takes it back.",
        openapi_extra={"requestBody": {"content": {"application/json": {"schema": schema_of(BulkAction)}}}},
    )

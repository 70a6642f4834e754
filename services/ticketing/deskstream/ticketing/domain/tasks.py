"""Tasks inside a ticket or an issue: added, handed on, done, dropped, taken up again."""

from typing import Final, Literal

from deskstream.contracts import Refused
from deskstream.contracts.chain_facts import Task
from deskstream.contracts.ids import AgentId, TaskId

LIMIT: Final = 25

How = Literal["done", "dropped", "delegated", "reopened"]


def added(tasks: tuple[Task, ...], task_id: TaskId, title: str, owner: str | None) -> Task:
    """The next task. Raises `Refused` when there are too many."""
    if len(tasks) >= LIMIT:
        raise Refused("too_many_tasks", f"There are {LIMIT} tasks already. Finish or drop some, or file an issue.")
    return Task(id=task_id, number=len(tasks) + 1, title=title, owner=AgentId(owner) if owner else None)


def changed(tasks: tuple[Task, ...], number: int, how: How, owner: str | None) -> Task:
    """The task as it is afterwards. Raises `Refused` where it is so already, or cannot become so."""
    task = next((task for task in tasks if task.number == number), None)
    if task is None:
        raise Refused("task_not_found", f"There is no task {number}; there are {len(tasks)}.")
    if how == "delegated":
        return _delegated(task, owner)
    if (how == "reopened") == (task.state == "open"):
        raise Refused("task_is_so_already", f"Task {number} is {task.state} already.", state=task.state)
    return task.model_copy(update={"state": "open" if how == "reopened" else how})


def _delegated(task: Task, owner: str | None) -> Task:
    if not owner:
        raise Refused("owner_is_missing", "Say to whom the task is delegated.")
    if task.state != "open":
        raise Refused("task_is_so_already", f"Task {task.number} is {task.state}; take it up again first.")
    return task.model_copy(update={"owner": AgentId(owner)})


def replaced(tasks: tuple[Task, ...], task: Task) -> tuple[Task, ...]:
    """The tasks with this one in its place, or at the end."""
    if task.number > len(tasks):
        return (*tasks, task)
    return tuple(task if other.number == task.number else other for other in tasks)


def still_open(tasks: tuple[Task, ...]) -> tuple[Task, ...]:
    """Those that somebody has still to do."""
    return tuple(task for task in tasks if task.state == "open")

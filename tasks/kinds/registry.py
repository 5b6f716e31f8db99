"""The kinds of tasks by name."""

from __future__ import annotations

from kernelwright.registry import Kind, Registry
from kernelwright.schema import Task
from kernelwright.tasks.kinds.base import TaskKind

KINDS: Registry[TaskKind] = Registry(
    "kind of task",
    Kind("a kind of task", "check"),
    {"module": "kernelwright.tasks.kinds.module:MODULE"},
    "kernelwright.kinds",
)


def kind_in(source: str) -> TaskKind:
    """Return the kind that a file looks like; `module` where it looks like none."""
    kinds = map(KINDS.get, KINDS)
    return next((kind for kind in kinds if kind.may_be(source)), KINDS.get("module"))


def kind_of(task: Task) -> TaskKind:
    """Return the kind of a task."""
    return KINDS.get(task.kind)

"""The kinds of tasks by name."""

from __future__ import annotations

from kernelwright.schema import Task
from kernelwright.tasks.kinds.base import TaskKind
from kernelwright.tasks.kinds.module import MODULE

KINDS: dict[str, TaskKind] = {MODULE.name: MODULE}


def kind_of(task: Task) -> TaskKind:
    """Return the kind of a task."""
    return KINDS[task.kind]

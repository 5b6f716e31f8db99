"""Live modules as task files, read back."""

from __future__ import annotations

import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kernelwright.tasks.export.call import CallForm
from kernelwright.tasks.export.check import checked_task
from kernelwright.tasks.export.program import require_exportable
from kernelwright.tasks.export.source import WrittenTask
from kernelwright.tasks.loader import task_of


def written(
    module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None
) -> WrittenTask:
    """Return a module's task, after all checks that `optimize` makes."""
    require_exportable(module)
    found = checked_task(module, CallForm(module.forward, args, kwargs or {}))
    task_of(found.source, "live/it")
    return found


def run(source: str) -> dict[str, Any]:
    """Return what a task file defines."""
    names: dict[str, Any] = {}
    exec(compile(source, "<task>", "exec"), names)
    return names


def built(source: str) -> tuple[Any, list[torch.Tensor]]:
    """Return a task's model and its inputs, as a worker makes them."""
    names = run(source)
    torch.manual_seed(0)
    return names["Model"](*names["get_init_inputs"]()), names["get_inputs"]()


def from_file(path: Path) -> tuple[nn.Module, tuple[Any, ...]]:
    """Return a live module of a task file, and its inputs."""
    names = runpy.run_path(str(path))
    torch.manual_seed(0)
    return names["Model"](*names["get_init_inputs"]()), tuple(names["get_inputs"]())

"""Traced graphs and finished candidate files, for the tests of the offline optimizer."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from kernelwright.agents.offline.graph import Graph
from kernelwright.tasks.loader import effective_source, load_task
from kernelwright.verifier.inside.export_graph import described, exported, scalars
from kernelwright.verifier.inside.worker import load_file


class Expression(nn.Module):
    """A module with a given function as its forward."""

    def __init__(self, function: Any, parameters: dict[str, torch.Tensor] | None = None) -> None:
        super().__init__()
        self.function = function
        for name, value in (parameters or {}).items():
            self.register_buffer(name, value)

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


def graph_of(model: nn.Module, *inputs: Any) -> Graph:
    """Return a model's graph as a worker would send it."""
    with torch.no_grad():
        program = exported(model, inputs)
    return Graph({**described(program, model), "scalars": scalars(model)})


def traced(function: Any, *inputs: Any) -> Graph:
    """Return the graph of a function."""
    return graph_of(Expression(function), *inputs)


def library_graph(identity: str, workload: str = "cpu-odd") -> Graph:
    """Return the graph of a task of the library."""
    task = load_task(identity)
    chosen = next(w for w in task.workloads if w.name == workload)
    names: dict[str, Any] = {}
    exec(compile(effective_source(task, chosen), identity, "exec"), names)
    torch.manual_seed(0)
    return graph_of(names["Model"](*names["get_init_inputs"]()), *names["get_inputs"]())


def imported(path: Path, text: str) -> ModuleType:
    """Write a candidate file and import it in this process."""
    path.write_text(text)
    name = f"candidate_{abs(hash(path))}"
    load_file(str(path), name)
    return sys.modules[name]

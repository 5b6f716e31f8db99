"""The facts that are gathered of a reference before a model's search, by real workers."""

from __future__ import annotations

from kernelwright.agents.model.facts import gather
from kernelwright.agents.offline.trace import trace
from kernelwright.sandbox.machine import Machine
from kernelwright.sandbox.process import ProcessSandbox
from kernelwright.schema import Task, Workload
from kernelwright.verifier.reference.reference import Reference

SOURCE = """import torch
from torch import nn

ROWS = 8


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(16, 4)

    def forward(self, x):
        return FORWARD


def get_inputs():
    return [torch.randn(ROWS, 16)]


def get_init_inputs():
    return []
"""
UNTRACEABLE = "self.linear(x) if x.sum().item() > 0 else self.linear(-x)"


def task(forward: str) -> Task:
    return Task(
        id="made/linear",
        source=SOURCE.replace("FORWARD", forward),
        workloads=(Workload(name="odd", role="test"), Workload(name="timed")),
    )


def test_round_one_has_numbers_and_the_graph() -> None:
    machine = Machine(ProcessSandbox(), 1, "cpu")
    with Reference(task("torch.relu(self.linear(x))"), machine, seed=0) as reference:
        facts = gather(reference, lambda: trace(reference, print))
    assert (facts.category, facts.dtypes) == ("matmul", ("float32",))
    assert facts.times[0].startswith("eager takes about ") and "'timed'" in facts.times[0]
    assert any("aten::" in line for line in facts.times)
    moved, computed, roof = facts.roof
    assert moved.startswith("at least 0.00 MB") and "GFLOP" in computed and "the roof is" in roof
    assert "x: input, float32[8, 16]" in facts.graph
    assert "linear = aten.linear(x, p_linear_weight, p_linear_bias) -> float32[8, 4]" in facts.graph
    assert facts.versions[0].startswith("Versions: Python 3.")


def test_without_a_graph_the_numbers_are_there() -> None:
    machine = Machine(ProcessSandbox(), 1, "cpu")
    with Reference(task(UNTRACEABLE), machine, seed=0) as reference:
        facts = gather(reference, lambda: trace(reference, print))
    assert (facts.category, facts.dtypes, facts.graph) == (None, (), ())
    assert facts.times and facts.roof and facts.versions

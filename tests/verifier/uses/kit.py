"""The kit of the tests of uses: an ordinary module, and a trial of a candidate for it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from kernelwright.schema import Level, Task, UseResult
from kernelwright.verifier.candidate import CandidateWorker
from kernelwright.verifier.uses.expected import ExpectedUses
from kernelwright.verifier.uses.run import RunUses
from kernelwright.verifier.uses.trial import Trial, Tried
from tests.verifier import kit

UNHURRIED_S = 1000.0
MODULE = """
    class Model(nn.Module):
        def __init__(self, width=12, act="relu"):
            super().__init__()
            self.fc = nn.Linear(width, 16)
            self.act = act
            self.drop = nn.Dropout(0.0)
            self.register_buffer("shift", torch.linspace(0.0, 1.0, 16))

        def forward(self, x, scale: float = 1.0, residual=None):
            y = self.drop(self.fc(x)) + self.shift
            y = torch.tanh(y) if self.act == "tanh" else torch.relu(y)
            y = y * scale
            return y if residual is None else y + residual

    def get_inputs():
        return [torch.randn(6, 12), 0.5, torch.randn(6, 16)]

    def get_init_inputs():
        return [12]
"""


def module(text: str = MODULE) -> Task:
    """Return a task with an ordinary module."""
    return kit.task(text)


def candidate_of(text: str = MODULE, *changes: tuple[str, str]) -> str:
    """Return the module as a candidate, with some words replaced by others."""
    found = textwrap.dedent(text)
    for old, new in changes:
        assert old in found, old
        found = found.replace(old, new)
    return kit.source(found).replace("class Model(", "class ModelNew(")


def tried(
    task: Task,
    source: str,
    level: Level = "standard",
    budget_s: float = UNHURRIED_S,
    only: Sequence[str] = (),
) -> Tried:
    """Try the uses of a candidate in a real worker: all, or only those with certain names."""
    candidate = kit.candidate(source)
    with kit.live_reference(task) as reference:
        prepared = [reference.prepare(workload) for workload in reference.workloads()]
        with (
            TemporaryDirectory() as build,  # files of a build are needed by compiled code only
            RunUses(reference).expected(prepared) as choose,
            CandidateWorker(reference, candidate, Path(build)) as worker,
        ):

            def chosen(with_own: bool, may_trim: bool) -> ExpectedUses:
                found = choose(with_own, may_trim)
                plan = found.plan()
                plan.variants[:] = [v for v in plan.variants if not only or v.use in only]
                return found

            trial = Trial(chosen, worker.restart, candidate, "default", level, budget_s)
            return trial.run()


def outcomes(found: Tried) -> dict[str, str]:
    """Return the outcome of each use."""
    return {result.use: result.outcome for result in found.results}


def named(found: Tried, outcome: str) -> set[str]:
    """Return the uses with an outcome."""
    return {use for use, other in outcomes(found).items() if other == outcome}


def detail(found: Tried, use: str) -> str:
    """Return the detail of one use."""
    (result,) = (result for result in found.results if result.use == use)
    assert isinstance(result, UseResult) and result.detail is not None
    return result.detail

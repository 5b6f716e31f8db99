"""Tests of evaluations as data, on real workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kernelwright.errors import InvalidReferenceError, UsageError
from kernelwright.executors import local
from kernelwright.executors.local import LocalExecutor
from kernelwright.schema import Criteria, EvaluationJob, Limits, MachineSpec, Policy, Task
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.reference.reference import Reference
from tests.verifier import kit

REFERENCE = """
    class Model(nn.Module):
        def forward(self, x):
            return torch.relu(x) * 2
"""
RIGHT, WRONG = kit.forward("return torch.relu(x) * 2"), kit.forward("return torch.relu(x)")
SPEC = MachineSpec(sandbox="process", threads=1, target="cpu")


def job(text: str, task: Task, backend: str = "torch", policy: Policy = "any") -> EvaluationJob:
    return EvaluationJob(
        task=task,
        candidate=kit.candidate(text, backend),
        level="fast",
        criteria=Criteria(policy=policy),
        machine=SPEC,
    )


@pytest.fixture
def task() -> Task:
    return kit.task(REFERENCE, Limits(call_timeout_s=30, memory_bytes=2**30))


def test_jobs_for_one_task_share_a_reference(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    usual = Reference.check

    def check(self: Reference) -> None:
        opened.append(self.task.id)
        usual(self)

    judges: list[Judge] = []

    def judge(*arguments: Any) -> Judge:
        judges.append(Judge(*arguments))
        return judges[-1]

    monkeypatch.setattr(Reference, "check", check)
    monkeypatch.setattr(local, "Judge", judge)
    before = kit.children()
    with LocalExecutor(tmp_path) as executor:
        assert executor.evaluate(job(RIGHT, task)).accepted
        assert not executor.evaluate(job(RIGHT, task, policy="custom")).accepted
        sent = EvaluationJob.model_validate_json(job(WRONG, task).model_dump_json())
        assert not executor.evaluate(sent).accepted
        assert opened == [task.id]
        assert len({id(judge._run_uses) for judge in judges}) == 1
        other = task.model_copy(update={"id": "tests/other", "source": task.source + "\n"})
        assert executor.evaluate(job(RIGHT, other)).accepted
        assert opened == [task.id, other.id]
    assert len(kit.children()) <= len(before) + 1  # the sandbox's fork server


def test_a_reference_that_fails_is_the_tasks_fault_each_time(task: Task, tmp_path: Path) -> None:
    broken = task.model_copy(update={"source": task.source.replace("relu(x)", "relu(y)")})
    with LocalExecutor(tmp_path) as executor:
        for _ in range(2):
            with pytest.raises(InvalidReferenceError, match="name 'y' is not defined"):
                executor.evaluate(job(RIGHT, broken))
        assert executor.evaluate(job(RIGHT, task)).accepted


def test_an_unknown_backend_is_refused(task: Task, tmp_path: Path) -> None:
    with LocalExecutor(tmp_path) as executor, pytest.raises(UsageError, match="fortran"):
        executor.evaluate(job(RIGHT, task, "fortran"))

"""Tests of whole evaluations: build, check, time, check again. Real workers, small sizes."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kernelwright.errors import InfrastructureError
from kernelwright.schema import Evaluation, Level, Limits, Speedup, Status, Workload
from kernelwright.verifier import evaluator
from kernelwright.verifier.evaluator import Evaluator
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.levels import EFFORTS
from kernelwright.verifier.timing import measure, summary
from kernelwright.verifier.timing.rounds import Rounds
from tests.verifier import kit
from tests.verifier.kit import forward

REFERENCE = """
    ROWS = 64

    class Model(nn.Module):
        def forward(self, x):
            return torch.relu(x) * 2 + 1

    def get_inputs():
        return [torch.randn(ROWS, 257)]

    def get_init_inputs():
        return []
"""
WORKLOADS = (
    Workload(name="timed"),
    Workload(name="odd", role="hidden", overrides={"ROWS": 3}),
    Workload(name="gpu", target="cuda"),
)
RIGHT = "return torch.relu(x) * 2 + 1"
ONLY_EAGER: dict[str, Any] = {"baselines": ("eager",), "uses_s": 0.0}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    limits = Limits(build_timeout_s=60, call_timeout_s=10, memory_bytes=2**30)
    with kit.live_reference(kit.task(REFERENCE, limits, WORKLOADS)) as reference:
        yield Judge(reference, tmp_path_factory.mktemp("cache"))


def evaluate(judge: Judge, body: str, before: str = "", backend: str = "torch") -> Evaluation:
    """Evaluate at `fast`, and check that only the reference's workers are left."""
    reference = judge.reference
    live = reference.prepare(reference.workloads()[0])
    assert live.instance and live.baseline("eager")
    running = kit.children()
    result = judge.evaluate(kit.candidate(forward(body, before), backend), "fast")
    assert len(kit.children()) <= len(running)  # eager's worker is a new one each time
    assert result.reason
    assert len(result.reason) < 1500
    assert bool(result.speedup) is (result.status is Status.PASSED)
    return result


def test_the_reference_itself_passes_with_all_its_evidence(judge: Judge) -> None:
    result = evaluate(judge, RIGHT)
    assert result.status is Status.PASSED
    assert result.accepted
    assert [(w.workload, bool(w.timing)) for w in result.workloads] == [
        ("timed", True),
        ("odd", False),
    ]
    times, speedup = result.workloads[0].timing, result.speedup["eager"]
    assert set(times) == {"candidate", "eager"}
    assert 0.2 < speedup.median < 5
    assert speedup.ci95[0] <= speedup.median <= speedup.ci95[1]
    assert all(t.calls_per_block > 0 and len(t.samples_us) >= 8 for t in times.values())
    assert result.evidence is not None
    assert result.sandbox.kind == "process"
    assert result.environment["threads"] == 1
    assert result.build_s is not None
    assert result.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize(
    ("close", "narrow", "workers"), [(math.inf, 0.0, 4), (math.inf, math.inf, 2), (0.0, 0.0, 2)]
)
def test_a_vague_speedup_close_to_1_is_measured_in_more_workers(
    judge: Judge, monkeypatch: pytest.MonkeyPatch, close: float, narrow: float, workers: int
) -> None:
    monkeypatch.setattr(measure, "MOST_SINGLE_CALLS", 0)
    monkeypatch.setattr(summary, "CLOSE", close)
    monkeypatch.setattr(summary, "NARROW", narrow)
    patient = {"baselines": ("eager",), "most_workers": 4, "close_budget_s": math.inf}
    monkeypatch.setitem(EFFORTS, "standard", EFFORTS["standard"].model_copy(update=patient))
    result = judge.evaluate(kit.candidate(forward(RIGHT)), "standard")
    correctness = result.workloads[0].correctness
    assert correctness is not None
    assert correctness.timed_calls_checked == workers * EFFORTS["standard"].spot_checks


@pytest.mark.parametrize(("slow_workers", "status"), [(1, Status.PASSED), (2, Status.REWARD_HACK)])
def test_single_calls_refuse_only_if_they_are_slow_in_a_new_worker_too(
    judge: Judge, monkeypatch: pytest.MonkeyPatch, slow_workers: int, status: Status
) -> None:
    seen: list[Rounds] = []

    def found(rounds: Rounds, single_calls: Rounds) -> str | None:
        if not any(rounds is one for one in seen):
            seen.append(rounds)
        return None if any(rounds is one for one in seen[slow_workers:]) else "slow by itself"

    for module in (evaluator, summary):
        monkeypatch.setattr(module, "batched", found)
    result = evaluate(judge, RIGHT)
    assert (result.status, len(seen)) == (status, 2)
    assert ("batched-calls" in [flag.rule for flag in result.flags]) == (slow_workers == 2)


def test_fast_compares_with_torch_compile_once_that_was_timed(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(evaluate(judge, RIGHT).speedup) == {"eager"}
    twice = Speedup(median=2.0, ci95=(1.9, 2.1))
    live = judge.reference.prepare(judge.reference.workloads()[0])
    monkeypatch.setattr(live, "compile_speedup", twice)
    found = evaluate(judge, RIGHT).speedup
    assert found["compile"].median == pytest.approx(found["eager"].median / 2)


def test_candidate_and_eager_take_turns_in_coming_first(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    effort = EFFORTS["standard"].model_copy(update={**ONLY_EAGER, "workers": 4})
    monkeypatch.setitem(EFFORTS, "standard", effort)
    judge.evaluate(kit.candidate(forward(RIGHT)), "standard")  # measures eager's iterations
    came: list[str] = []
    for name in ("_load_own", "_renew_eager"):
        usual = getattr(Evaluator, name)

        def noted(self: Evaluator, *arguments: Any, name: str = name, usual: Any = usual) -> None:
            came.append(name)
            usual(self, *arguments)

        monkeypatch.setattr(Evaluator, name, noted)
    judge.evaluate(kit.candidate(forward(RIGHT)), "standard")
    pair = ["_renew_eager", "_load_own"]
    assert came[:8] == [*pair, *reversed(pair), *pair, *reversed(pair)]


@pytest.mark.parametrize(("level", "is_kept"), [("fast", True), ("standard", False)])
def test_eager_has_a_worker_for_the_run_or_one_for_every_candidates_worker(
    judge: Judge, monkeypatch: pytest.MonkeyPatch, level: Level, is_kept: bool
) -> None:
    monkeypatch.setitem(EFFORTS, "standard", EFFORTS["standard"].model_copy(update=ONLY_EAGER))
    live = judge.reference.prepare(judge.reference.task.workloads[0])
    workers = []
    for _ in range(2):
        judge.evaluate(kit.candidate(forward(RIGHT)), level)
        workers.append(live.baseline("eager"))
    assert (workers[0] is workers[1]) == is_kept


def test_a_slow_candidate_is_right_and_never_faster(judge: Judge) -> None:
    result = evaluate(judge, "import time\ntime.sleep(0.02)\n" + RIGHT)
    assert result.status is Status.PASSED
    assert not result.speedup["eager"].is_faster
    assert not result.is_win
    assert result.speedup["eager"].median < 0.5


def test_a_result_may_be_a_slice_of_something_larger(tmp_path: Path) -> None:
    reference = REFERENCE.replace("return torch.relu(x) * 2 + 1", "return torch.relu(x)[:, 3]")
    with kit.live_reference(kit.task(reference)) as found:
        body = "return torch.relu(x[:, 3])"
        evaluation = Judge(found, tmp_path).evaluate(kit.candidate(forward(body)), "fast")
    assert evaluation.accepted, evaluation.reason


def test_faults_of_a_build(judge: Judge) -> None:
    raised = evaluate(judge, RIGHT, "raise ImportError('no such thing')")
    assert (raised.status, raised.workloads) == (Status.RUNTIME_ERROR, ())
    assert "no such thing" in raised.reason
    assert raised.build_s is None
    syntax = judge.evaluate(kit.candidate("class ModelNew(:\n"), "fast")
    assert syntax.status is Status.COMPILE_ERROR
    assert "SyntaxError" in syntax.reason
    nothing = judge.evaluate(kit.candidate("import torch\n"), "fast")
    assert nothing.status is Status.RUNTIME_ERROR
    assert "ModelNew" in nothing.reason


def test_a_candidate_that_only_knows_one_size(judge: Judge) -> None:
    result = evaluate(judge, "return (torch.relu(x.view(64, 257)) * 2 + 1)")
    assert result.status is Status.RUNTIME_ERROR
    padded = "y = torch.relu(x) * 2 + 1\nif len(y) == 3: y[2, 2] = 0\nreturn y"
    result = evaluate(judge, padded)
    assert result.status is Status.INCORRECT_NUMERICAL
    assert "workload 'odd'" in result.reason
    assert [w.workload for w in result.workloads] == ["timed", "odd"]
    assert not any(w.timing for w in result.workloads)


def test_a_hang_in_the_middle_of_the_evaluation_is_a_timeout(judge: Judge, tmp_path: Path) -> None:
    task = judge.reference.task.model_copy(
        update={"limits": Limits(call_timeout_s=1.5, memory_bytes=2**30)}
    )
    hang = "self.n = getattr(self, 'n', 0) + 1\nwhile self.n > 2: pass\n" + RIGHT
    with kit.live_reference(task) as reference:
        hurried = Judge(reference, tmp_path)
        result = evaluate(hurried, hang)
        assert result.status is Status.TIMEOUT


def test_the_reference_survives_its_judge_losing_it(judge: Judge) -> None:
    os.kill(kit.worker_pid(judge.reference.oracle.client), signal.SIGKILL)
    with pytest.raises(InfrastructureError, match="the reference worked once and then failed"):
        judge.evaluate(kit.candidate(forward(RIGHT + "  # once")), "fast")
    assert evaluate(judge, "return x * 2").status is Status.INCORRECT_NUMERICAL

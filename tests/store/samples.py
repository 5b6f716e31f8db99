"""Realistic nouns for the tests of store, report and rl, made without running a kernel."""

from __future__ import annotations

from typing import Any

from kernelwright.agents.deliver import Delivery, Measured
from kernelwright.delivery.scope import Scope
from kernelwright.schema import (
    Attempt,
    Candidate,
    Correctness,
    Evaluation,
    Flag,
    Level,
    Message,
    ModelCall,
    OrdinaryRun,
    Origin,
    Prediction,
    Run,
    SandboxInfo,
    Span,
    Speedup,
    Status,
    Task,
    Timing,
    ToolStep,
    Usage,
    UseResult,
    Workload,
    WorkloadResult,
    WrongElement,
    WrongValues,
)
from kernelwright.store.results import TaskResult

T0 = 1_790_000_000.0
RUN_ID = "20260901-101500-a1b2c3"

REFERENCE = '''import torch
import torch.nn as nn


class Model(nn.Module):
    """Root mean square normalisation over the feature dimension."""

    def __init__(self, features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.features = features
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rms = torch.sqrt(torch.mean(x**2, dim=1, keepdim=True) + self.eps)
        return x / rms


batch_size = 16
features = 64


def get_inputs():
    return [torch.randn(batch_size, features, 256, 256)]


def get_init_inputs():
    return [features]
'''

OPTIMIZED = '''import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

CPP = """
torch::Tensor rmsnorm(torch::Tensor x, double eps) { /* fused, one pass */ }
"""
module = load_inline(name="rmsnorm", cpp_sources=CPP, functions=["rmsnorm"])


class ModelNew(nn.Module):
    """Root mean square normalisation, one pass over memory."""

    def __init__(self, features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return module.rmsnorm(x, self.eps)
'''


def run(run_id: str = RUN_ID, **changes: Any) -> Run:
    """Return a finished run."""
    fields: dict[str, Any] = {
        "id": run_id,
        "command": "optimize",
        "config": {"model": "offline", "attempts": 12, "level": "fast", "seed": 0},
        "git_commit": "76779750c0ffee",
        "git_dirty": False,
        "packages": {"kernelwright": "0.1.0", "torch": "2.13.0"},
        "status": "done",
        "started": T0,
        "ended": T0 + 412.5,
    }
    return Run(**{**fields, **changes})


def task(task_id: str = "kernelbench/36_RMSNorm_", **changes: Any) -> Task:
    """Return a task with a bench and a hidden workload."""
    workloads = (Workload(name="default"), Workload(name="odd_sizes", role="hidden"))
    fields = {"id": task_id, "source": REFERENCE, "workloads": workloads, "category": "norm"}
    return Task(**{**fields, **changes})


def candidate(source: str = OPTIMIZED, backend: str = "cpp", **origin: Any) -> Candidate:
    """Return a candidate; by default one of the offline library."""
    defaults = {"kind": "offline", "strategy": "library", "description": "fused RMS norm"}
    return Candidate(source=source, backend=backend, origin=Origin(**{**defaults, **origin}))


def speedup(median: float, half_width: float = 0.03) -> Speedup:
    """Return a speedup with a symmetric interval; `half_width` is a share of the median."""
    return Speedup(median=median, ci95=(median * (1 - half_width), median * (1 + half_width)))


def timing(median_us: float) -> Timing:
    """Return a timing with an interval of 2% to each side."""
    return Timing(
        median_us=median_us,
        ci95_us=(median_us * 0.98, median_us * 1.02),
        samples_us=(median_us * 0.98, median_us, median_us * 1.02),
        worker_median_us=median_us * 1.001,
        calls_per_block=20,
        method="slope of two block lengths",
    )


def workload_result(name: str, eager: float | None, half_width: float = 0.03) -> WorkloadResult:
    """Return a result with right values; it is timed where a speedup over eager is given."""
    correctness = Correctness(
        cases=8,
        golden="float64",
        max_abs_error=4.1e-7,
        reference_max_abs_error=3.6e-7,
        worst_margin=0.21,
        bitwise_repeatable=True,
        weights="state_dict",
    )
    if eager is None:
        return WorkloadResult(workload=name, correctness=correctness)
    base = 41_300.0
    times = {"candidate": base / eager, "eager": base, "compile": base / 1.5}
    ratios = {
        "eager": speedup(eager, half_width),
        "compile": speedup(eager / 1.5, half_width),
    }
    return WorkloadResult(
        workload=name,
        correctness=correctness,
        timing={key: timing(value) for key, value in times.items()},
        speedup=ratios,
    )


def wrong_values() -> WrongValues:
    """Return the places of values that a loop's remainder left as they were."""
    return WrongValues(
        workload="default",
        output=0,
        outputs=1,
        shape=(16, 64),
        count=48,
        extent=((0, 15), (61, 63)),
        pattern="the last 3 columns",
        kind="never written there",
        first=WrongElement(index=(0, 61), got="3.39615e+38", expected="0.25"),
    )


def evaluation(
    of: Candidate,
    eager: float | None = 2.4,
    *,
    status: Status = Status.PASSED,
    flags: tuple[Flag, ...] = (),
    level: Level = "fast",
    half_width: float = 0.03,
    for_task: Task | None = None,
    **changes: Any,
) -> Evaluation:
    """Return a verdict on `of`; `eager` None leaves it untimed."""
    passed = status in (Status.PASSED, Status.REWARD_HACK)
    eager = eager if passed else None
    ratios = (
        {}
        if eager is None
        else {"eager": speedup(eager, half_width), "compile": speedup(eager / 1.5, half_width)}
    )
    workloads = (
        workload_result("default", eager, half_width),
        workload_result("odd_sizes", None),
    )
    fields: dict[str, Any] = {
        "task_hash": (for_task or task()).hash,
        "candidate_hash": of.hash,
        "backend": of.backend,
        "status": status,
        "reason": "values right on 2 workloads" if passed else f"{status.value} in forward()",
        "level": level,
        "tolerance": "default",
        "flags": flags,
        "workloads": workloads if passed else (),
        "speedup": ratios,
        "environment": {"cpu": "AMD EPYC 9J14, 2 cores", "torch": "2.13.0", "gpu": None},
        "sandbox": SandboxInfo(
            kind="bwrap",
            holds=("no network", "no host environment", "read-only system"),
            lacks=("no limit on disk use", "no limit on the number of processes"),
        ),
        "build_s": 11.2,
        "duration_s": 18.4,
        "uses": () if level == "fast" or not passed else (UseResult(use="train", outcome="same"),),
        "worker_version": "w1",
    }
    return Evaluation(**{**fields, **changes})


def attempt(index: int = 0, of: Candidate | None = None, **changes: Any) -> Attempt:
    """Return an evaluated attempt, or with `error=` an infrastructure error."""
    fields: dict[str, Any] = {
        "run_id": RUN_ID,
        "task_id": task().id,
        "index": index,
        "plan": f"plan {index}: fuse the reduction with the division",
        "usage": Usage.zero(),
        "span": Span(started=T0 + 30 * index, ended=T0 + 30 * index + 21.5),
    }
    if "error" not in changes and "dropped" not in changes:
        made = of or candidate()
        fields |= {"candidate": made, "evaluation": changes.pop("evaluation", evaluation(made))}
    return Attempt(**{**fields, **changes})


def call(answer: str | None = "```python\n```", **changes: Any) -> ModelCall:
    """Return a coder's model call."""
    fields: dict[str, Any] = {
        "role": "coder",
        "model": "openai/some-model",
        "messages": (
            Message(role="system", content="You write fast kernels."),
            Message(role="user", content="Make this module faster."),
        ),
        "answer": answer,
        "usage": Usage(input_tokens=1200, output_tokens=800, cost_usd=0.0123),
        "span": Span(started=T0 + 1, ended=T0 + 9),
    }
    return ModelCall(**{**fields, **changes})


def tool_step(**changes: Any) -> ToolStep:
    """Return a build that failed, as the first call of an attempt asked for it."""
    fields: dict[str, Any] = {
        "name": "build",
        "arguments": '{"flags": "-O3"}',
        "result": "kernel.cpp:3: error: expected ';'",
        "is_error": True,
        "seconds": 2.5,
    }
    return ToolStep(**{**fields, **changes})


def improved(of: Candidate | None = None, eager: float = 2.31) -> TaskResult:
    """Return the answer for a task with a strict win."""
    made = of or candidate()
    final = evaluation(made, eager, level="strict")
    return TaskResult(
        task_id=task().id, status="improved", candidate_hash=made.hash, evaluation=final
    )


def ordinary_run(median: float = 1.72, half_width: float = 0.19) -> OrdinaryRun:
    """Return what five ordinary interpreters said about a file that is right."""
    return OrdinaryRun(
        right=True,
        eager_us=4126.0,
        candidate_us=4126.0 / median,
        speedups=(median,) * 5,
        speedup=Prediction(median=median, pi95=(median - half_width, median + half_width)),
    )


def measured(of: Candidate, eager: float, **changes: Any) -> Measured:
    """Return the strict verdict on a delivery."""
    delivery = Delivery(of, of, Scope(device="cpu", families=()))
    return Measured(delivery, evaluation(of, eager, level="strict", **changes))

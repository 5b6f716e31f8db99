"""A made-up run; `python -m tests.report.story OUT.html` writes its report."""

from __future__ import annotations

import sys
from pathlib import Path

from kernelwright.report.html import render_report
from kernelwright.schema import Attempt, Evidence, Flag, Span, Status, Task, Usage
from kernelwright.store.records import TaskRecord
from kernelwright.store.results import TaskResult
from tests.store import samples

HACK = Flag(
    rule="stale_output",
    severity="refuse",
    evidence="output of call 7 equals call 6 though its input changed",
)
NOTE = Flag(rule="threads", severity="info", evidence="2 OpenMP threads, as the reference")


def improved_task() -> TaskRecord:
    """Return a task with eleven attempts of every kind of outcome, and a strict win."""
    best = samples.candidate()
    evidence = Evidence(
        level="static", facts=("memory bound", "reads the input once (estimate)"), bound="memory"
    )
    final = samples.evaluation(best, 2.31, level="strict", half_width=0.02, evidence=evidence)
    result = TaskResult(
        task_id=samples.task().id,
        status="improved",
        candidate_hash=best.hash,
        evaluation=final,
        ordinary=samples.ordinary_run(),
    )
    return TaskRecord(samples.run(), samples.task(), result, _attempts(), ())


def _attempts() -> list[Attempt]:
    outcomes: list[tuple[float | None, Status, str]] = [
        (0.97, Status.PASSED, "torch.compile, default mode"),
        (None, Status.COMPILE_ERROR, "one pass over rows with vectorised loads"),
        (1.31, Status.PASSED, "one pass over rows, compiler vectorisation"),
        (None, Status.INCORRECT_NUMERICAL, "accumulate the squares in half precision"),
        (1.28, Status.PASSED, "blocks of 8 channels, one thread"),
        (1.74, Status.PASSED, "blocks of 16 channels, all threads"),
        (None, Status.TIMEOUT, "search over 4,096 block sizes at import"),
        (2.35, Status.PASSED, "transpose the loop nest, so that the inner loop is contiguous"),
        (14.2, Status.REWARD_HACK, "keep the last output while the input has not moved"),
        (2.12, Status.PASSED, "the same with non-temporal stores"),
    ]
    made = []
    for index, (eager, status, plan) in enumerate(outcomes):
        last = index == 7
        of = samples.candidate() if last else samples.candidate(f"# candidate {index}\n")
        if index == 0:
            of = samples.candidate("# compiled\n", "inductor", strategy="inductor")
        flags = (HACK,) if status is Status.REWARD_HACK else (NOTE,) if last else ()
        where = samples.wrong_values() if status is Status.INCORRECT_NUMERICAL else None
        verdict = samples.evaluation(
            of, eager, status=status, flags=flags, half_width=0.05, wrong=where
        )
        made.append(samples.attempt(index, of, plan=plan, evaluation=verdict))
    lost = "the sandbox did not start: no space left on device"
    return [*made, samples.attempt(10, plan="prefetch the next block", error=lost)]


def unlucky_task() -> TaskRecord:
    """Return a task with a model's attempts, none of them better, and partly unknown costs."""
    task = Task(id="kernelbench/1_Square_matrix_multiplication_", source=samples.REFERENCE)
    span = Span(started=samples.T0, ended=samples.T0 + 95)
    attempts = []
    best = samples.candidate("# blocked matmul\n", kind="model", model="openai/some-model")
    for index, eager in enumerate((0.41, 0.78)):
        verdict = samples.evaluation(best, eager, for_task=task)
        used = Usage() if index else Usage(input_tokens=4100, output_tokens=2300, cost_usd=0.0312)
        attempts.append(
            samples.attempt(index, best, task_id=task.id, evaluation=verdict, usage=used, span=span)
        )
    final = samples.evaluation(best, 0.78, level="strict", for_task=task)
    result = TaskResult(
        task_id=task.id, status="no_improvement", candidate_hash=best.hash, evaluation=final
    )
    return TaskRecord(
        samples.run(), task, result, attempts, [samples.call(), samples.call(usage=Usage())]
    )


def broken_task() -> TaskRecord:
    """Return a task with an infrastructure error and no attempt."""
    task = Task(id="kernelbench/99_TripletMarginLoss", source=samples.REFERENCE)
    return TaskRecord(
        samples.run(),
        task,
        TaskResult(task_id=task.id, status="error", error="no worker answered"),
        [],
        [],
    )


def everything() -> list[TaskRecord]:
    """Return four tasks, one for each kind of answer."""
    waiting = Task(id="kernelbench/100_HingeLoss", source=samples.REFERENCE)
    return [
        improved_task(),
        unlucky_task(),
        broken_task(),
        TaskRecord(samples.run(), waiting, None, [], []),
    ]


if __name__ == "__main__":
    chosen = everything() if "--all" in sys.argv else [improved_task()]
    Path(sys.argv[1]).write_text(render_report(samples.run(), chosen), encoding="utf-8")

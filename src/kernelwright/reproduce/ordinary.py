"""A proven file in ordinary interpreters: compared and timed once more, as its user will run it.

The judge times with heaps of huge pages and an allocator that keeps what is freed, because luck
then decides less. A user has neither, and may see another ratio. So `reproduce.py` runs here, in
the sandbox still, in several interpreters that are as ordinary as `python -I` makes them.
"""

from __future__ import annotations

import math
import os
import signal
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from kernelwright.reproduce.files import SCRIPT, candidate_file_name, reproduction
from kernelwright.sandbox.base import WorkerSpec
from kernelwright.sandbox.leases import core_name, lease
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Candidate, OrdinaryRun, Prediction, Record, Task
from kernelwright.verifier.timing.statistics import STUDENT_95
from kernelwright.verifier.worker.start import (
    BASE_MEMORY_BYTES,
    BUILD_FOLDER,
    TOOLS_FOLDER,
    base_environment,
)

INTERPRETERS = 5
TIMING_S = 1.0
FOLDER = "result"
# An ordinary interpreter has none of these; empty, the C library's tunables are the default ones.
NOT_ORDINARY = {"GLIBC_TUNABLES": ""}
CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT}


class Row(Record):
    """One line of the table of `reproduce.py`."""

    check: str
    outcome: str
    detail: str
    is_fault: bool


class Answer(Record, extra="ignore"):
    """The part of its answer that is used here."""

    right: bool
    rows: tuple[Row, ...]
    reference_us: float | None
    optimized_us: float | None
    speedup: float | None


class Failed(Exception):
    """Failure of an interpreter to say how fast the file is.

    Args:
        right: False where the file is to blame.
    """

    def __init__(self, problem: str, right: bool | None = None) -> None:
        super().__init__(problem)
        self.right = right


def run_ordinarily(machine: Machine, task: Task, candidate: Candidate, build: Path) -> OrdinaryRun:
    """Compare and time a proven file in ordinary interpreters, one after the other.

    Args:
        build: the finished build, so that nothing is compiled again.

    Raises:
        InfrastructureError: an interpreter could not be started, or the cores are in use.
    """
    cores = [core_name(core) for core in os.sched_getaffinity(0)]
    try:
        with _result_folder(machine, task, candidate) as folder:
            spec = _spec(machine, task, folder, build)
            with lease([*machine.devices, *cores]):
                answers = [_answer(machine, task, spec) for _ in range(INTERPRETERS)]
    except Failed as failed:
        return OrdinaryRun(right=failed.right, problem=str(failed))
    return OrdinaryRun(
        right=True,
        eager_us=statistics.median(times[0] for times in answers),
        candidate_us=statistics.median(times[1] for times in answers),
        speedups=tuple(times[2] for times in answers),
        speedup=predicted([times[2] for times in answers]),
    )


def predicted(ratios: Sequence[float]) -> Prediction:
    """Return the median of some ratios, and where that of one more process will lie.

    Normal on a log scale: mean +- t s sqrt(1 + 1/n), with n - 1 degrees of freedom.
    """
    logs, count = [math.log(ratio) for ratio in ratios], len(ratios)
    reach = STUDENT_95[count - 1] * statistics.stdev(logs) * math.sqrt(1 + 1 / count)
    mean = statistics.fmean(logs)
    ends = math.exp(mean - reach), math.exp(mean + reach)
    return Prediction(median=statistics.median(ratios), pi95=ends)


@contextmanager
def _result_folder(machine: Machine, task: Task, candidate: Candidate) -> Iterator[Path]:
    files = reproduction(task, candidate, machine.kind)
    files[candidate_file_name(task.id)] = candidate.source
    with tempfile.TemporaryDirectory() as name:
        for file, text in files.items():
            (Path(name) / file).write_text(text, encoding="utf-8")
        yield Path(name)


def _spec(machine: Machine, task: Task, folder: Path, build: Path) -> WorkerSpec:
    """Return an interpreter to start: what is tuned for workers is left out, all cores are in."""
    tools = {"PATH": f"{{folder}}/{BUILD_FOLDER}/{TOOLS_FOLDER}:{{path}}"}
    kept = {n: v for n, v in base_environment(machine).items() if n != "OMP_NUM_THREADS"}
    return WorkerSpec(
        # The judge has tried the uses.
        argv=(f"{FOLDER}/{SCRIPT}", "--json", "--without-uses", "--comparisons", "1")
        + ("--seconds", str(TIMING_S)),
        env={**kept, **tools, **NOT_ORDINARY},
        # Both modules, their inputs and the float64 values are in one process.
        memory_bytes=2 * task.limits.memory_bytes + BASE_MEMORY_BYTES,
        files={FOLDER: str(folder), BUILD_FOLDER: str(build)},
    )


def _answer(machine: Machine, task: Task, spec: WorkerSpec) -> tuple[float, float, float]:
    """Run one interpreter; return eager's time, the file's, and their ratio."""
    limit_s = task.limits.build_timeout_s + task.limits.call_timeout_s
    worker = machine.sandbox.start(spec)
    try:
        status, said = worker.exit_status(limit_s), worker.stderr()
    finally:
        worker.kill()
    if status is None:
        raise Failed(f"it did not end within {limit_s:.0f} s")
    if status < 0:
        crashed = -status in CRASHES
        raise Failed(f"it was ended by {_signal_name(-status)}", False if crashed else None)
    answer = _last_answer(said)
    if answer is None:
        raise Failed(_last_line(said) or f"it ended with exit code {status} and said nothing")
    faults = [f"{row.check}: {row.detail}" for row in answer.rows if row.is_fault]
    if not answer.right:
        raise Failed("; ".join(faults) or "the values are wrong", right=False)
    times = answer.reference_us, answer.optimized_us, answer.speedup
    known = [time for time in times if time is not None and 0 < time < math.inf]
    if len(known) < len(times):
        raise Failed("it gave no times")
    return known[0], known[1], known[2]


def _last_answer(said: str) -> Answer | None:
    """Return the answer in what was printed, which the file could print to as well."""
    for line in reversed(said.splitlines()):
        if line.startswith("{"):
            try:
                return Answer.model_validate_json(line)
            except ValidationError:
                return None
    return None


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

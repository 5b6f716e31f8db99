"""All measurements on a GPU, in one command and under nine minutes:
    python3 benchmarks/gpu/run.py [--out FILE] [--part PART]...

It needs torch and Triton and no other package (pydantic is replaced where it is missing; see
`records.py`), no network, and no installation of this project. The verdict is the project's own,
in the `process` sandbox. Parts: `library`, the kernel library on the tasks' GPU sizes against eager
and torch.compile; `cheats`; `fidelity`, references against themselves; `throughput`, evaluations a
minute against the usual way. A part that fails has its error in the result, and the others go on.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]
if find_spec("pydantic") is None:
    from benchmarks.gpu.records import install

    install()

import torch  # noqa: E402

from benchmarks.gpu import cheats  # noqa: E402
from kernelwright.errors import KernelwrightError  # noqa: E402
from kernelwright.kernels.catalog import LIBRARIES  # noqa: E402
from kernelwright.sandbox.gpu import gpu_identity, gpu_state  # noqa: E402
from kernelwright.sandbox.machine import Machine  # noqa: E402
from kernelwright.sandbox.process import ProcessSandbox  # noqa: E402
from kernelwright.schema import Candidate, Origin  # noqa: E402
from kernelwright.tasks.loader import effective_source, load_task  # noqa: E402
from kernelwright.verifier.gpu_compile.compilation import timed_workload  # noqa: E402
from kernelwright.verifier.judge import Judge  # noqa: E402
from kernelwright.verifier.reference.reference import Reference  # noqa: E402
from tests.honest.corpus import LIBRARY, library_source  # noqa: E402

if TYPE_CHECKING:
    from kernelwright.schema import Evaluation, Level

DEVICE = "cuda:0"
BUDGET_S = 500.0
# Share of the budget after which a part starts no further evaluation.
SHARES = {"cheats": 0.1, "fidelity": 0.3, "throughput": 0.4, "library": 1.0}
FIDELITY = {"softmax": 10, "matmul_bias_gelu": 10, "rmsnorm_residual": 10}
EVALUATIONS, USUAL_RUNS = 20, 5
LEAST_US = 100.0


FAILURES = (KernelwrightError, RuntimeError, OSError, ValueError, TypeError, LookupError,
            AttributeError, AssertionError, subprocess.SubprocessError)  # fmt: skip


class Run:
    """The machine of a run, and its time budget."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machine = Machine(ProcessSandbox(), min(4, os.cpu_count() or 1), DEVICE)
        self.started = time.monotonic()

    def is_late(self, part: str) -> bool:
        """Whether a part has used up its time."""
        return time.monotonic() - self.started > BUDGET_S * SHARES[part]

    def evaluate(self, task: str, candidates: list[Candidate], level: Level) -> list[Evaluation]:
        """Return the verdicts on candidates of one task, by one judge."""
        with Reference(load_task(task), self.machine, 20261122) as reference:
            judge = Judge(reference, self.folder / "cache")
            return [judge.evaluate(candidate, level) for candidate in candidates]


def candidate(source: str, backend: str) -> Candidate:
    """Return a candidate from its source."""
    return Candidate(source=source, backend=backend, origin=Origin(kind="user"))


def library(run: Run) -> dict[str, Any]:
    """Measure every library kernel in every GPU language, at `standard`."""
    rows: dict[str, Any] = {}
    for task, use in LIBRARY.items():
        if run.is_late("library"):
            break
        of = [LIBRARIES[name] for name in ("triton", "cuda")]
        languages = [one for one in of if use.kernel in one.kernels]
        made = [candidate(library_source(one, task), one.backend) for one in languages]
        found = attempted(lambda task=task, made=made: run.evaluate(task, made, "standard"))
        if isinstance(found, str):
            rows[task] = {"error": found}
            continue
        rows[task] = {one.backend: row(e) for one, e in zip(languages, found, strict=True)}
    return {"rows": rows, "tasks_left_out": len(LIBRARY) - len(rows), **summary(rows)}


def row(found: Evaluation) -> dict[str, Any]:
    """Return the stored part of a verdict."""
    workload = next((w for w in found.workloads if w.timing), None)
    timing = workload.timing if workload else {}
    return {
        "accepted": found.accepted,
        "reason": found.reason,
        "flags": [f"{flag.rule}: {flag.evidence}" for flag in found.flags],
        "speedup": {name: [s.median, *s.ci95] for name, s in found.speedup.items()},
        "judge_us": {name: side.median_us for name, side in timing.items()},
        "worker_us": {name: side.worker_median_us for name, side in timing.items()},
        "roof_fraction": found.evidence.roof_fraction if found.evidence else None,
        "facts": found.evidence.facts if found.evidence else (),
        "build_s": found.build_s,
        "duration_s": found.duration_s,
    }


def summary(rows: dict[str, Any]) -> dict[str, Any]:
    """Return the figures over all tasks, from the best accepted kernel of each."""
    best = {task: best_of(languages) for task, languages in rows.items()}
    won = [found for found in best.values() if found]
    clocks = [
        abs(r["worker_us"][side] / us - 1)
        for r in won
        for side, us in r["judge_us"].items()
        if us > LEAST_US
    ]
    return {
        "accepted": len(won),
        "geomean_eager": geomean(won, "eager"),
        "geomean_compile": geomean(won, "compile"),
        "fast_1": sum(r["speedup"]["eager"][0] > 1 for r in won) / len(rows) if rows else None,
        "fast_2": sum(r["speedup"]["eager"][0] > 2 for r in won) / len(rows) if rows else None,
        "clocks_differ_median": statistics.median(clocks) if clocks else None,
        "clocks_differ_most": max(clocks, default=None),
    }


def best_of(languages: dict[str, Any]) -> dict[str, Any] | None:
    """Return the accepted kernel with the highest speedup over eager; None without one."""
    known = [r for r in languages.values() if isinstance(r, dict) and r["accepted"]]
    timed = [r for r in known if "eager" in r["speedup"]]
    return max(timed, key=lambda r: r["speedup"]["eager"][0], default=None)


def geomean(rows: list[dict[str, Any]], baseline: str) -> float | None:
    """Return the geometric mean of the speedups over a baseline; None where there are none."""
    known = [r["speedup"][baseline][0] for r in rows if baseline in r["speedup"]]
    return math.exp(statistics.fmean(map(math.log, known))) if known else None


def all_cheats(run: Run) -> dict[str, Any]:
    """Judge the cheats at `fast`, each by its own judge: some leave the device in a bad state."""
    rows: dict[str, Any] = {}
    for name in cheats.CHEATS:
        if run.is_late("cheats"):
            break
        made = candidate(cheats.source(name), "torch")
        found = attempted(lambda made=made: run.evaluate("softmax", [made], "fast")[0])
        rows[name] = {"error": found} if isinstance(found, str) else caught(found)
    return {"refused": sum(r.get("refused", False) for r in rows.values()), "rows": rows}


def caught(found: Evaluation) -> dict[str, Any]:
    """Return the verdict on a cheat: whether it was refused, and why."""
    flags = [flag.rule for flag in found.flags]
    speedup = {name: s.median for name, s in found.speedup.items()}
    return {"refused": not found.accepted, "status": found.status.value, "reason": found.reason,
            "flags": flags, "speedup": speedup}  # fmt: skip


def fidelity(run: Run) -> dict[str, Any]:
    """Measure references against themselves, at `standard`."""
    rows: dict[str, list[float]] = {}
    for task, times in FIDELITY.items():
        source = effective_source(load_task(task), timed_workload(load_task(task)))
        same = [candidate(f"{source}\nModelNew = Model\n# {n}\n", "torch") for n in range(times)]
        if run.is_late("fidelity"):
            break
        found = run.evaluate(task, same, "standard")
        rows[task] = [e.speedup["eager"].median for e in found if "eager" in e.speedup]
    errors = [abs(ratio - 1) for ratios in rows.values() for ratio in ratios]
    return {"runs": len(errors), "median_error": statistics.median(errors) if errors else None,
            "ratios": rows}  # fmt: skip


def throughput(run: Run) -> dict[str, Any]:
    """Measure evaluations a minute of a built kernel, at `fast` and in the usual way."""
    task = load_task("softmax")
    source = library_source(LIBRARIES["triton"], "softmax")
    made = candidate(source, "triton")
    with Reference(task, run.machine, 1) as reference:
        judge = Judge(reference, run.folder / "cache")
        judge.evaluate(made, "fast")
        start = time.monotonic()
        verdicts = [judge.evaluate(made, "fast") for _ in range(EVALUATIONS)]
        own_s = (time.monotonic() - start) / EVALUATIONS
    files = [run.folder / name for name in ("reference.py", "candidate.py")]
    files[0].write_text(effective_source(task, timed_workload(task)))
    files[1].write_text(source)
    command = [sys.executable, str(Path(__file__).with_name("usual.py")), *map(str, files)]
    start = time.monotonic()
    for _ in range(USUAL_RUNS):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    usual_s = (time.monotonic() - start) / USUAL_RUNS
    return {"accepted": sum(v.accepted for v in verdicts), "evaluations": EVALUATIONS,
            "per_minute": 60 / own_s, "usual_per_minute": 60 / usual_s,
            "ratio": usual_s / own_s}  # fmt: skip


PARTS: dict[str, Callable[[Run], dict[str, Any]]] = {
    "cheats": all_cheats,
    "fidelity": fidelity,
    "throughput": throughput,
    "library": library,
}


def attempted(work: Callable[[], Any]) -> Any:
    """Return the result of `work`, or the traceback as text where it fails."""
    try:
        return work()
    except FAILURES:
        return traceback.format_exc(limit=-8)


def document(parts: list[str], run: Run) -> Iterator[tuple[str, Any]]:
    """Yield the whole result, piece by piece."""
    yield "benchmark", "gpu"
    yield "date", time.strftime("%Y-%m-%d")
    yield "packages", {"torch": torch.__version__, "cuda": torch.version.cuda,
                       "python": sys.version.split()[0]}  # fmt: skip
    yield "gpu", gpu_identity(DEVICE)
    yield "before", gpu_state(DEVICE)
    for name in parts:
        start = time.monotonic()
        found = attempted(lambda name=name: PARTS[name](run))
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
        yield name, {"error": found} if isinstance(found, str) else found
    yield "after", gpu_state(DEVICE)
    yield "seconds", time.monotonic() - run.started


def main() -> None:
    """Measure the chosen parts, store the result and print its summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "gpu.json")
    parser.add_argument("--part", action="append", choices=list(PARTS))
    given = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("no GPU here: nothing to measure")
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, Any] = {}
        for name, value in document(given.part or list(PARTS), Run(Path(folder))):
            found[name] = value
            given.out.write_text(json.dumps(found, indent=1) + "\n")  # the result so far
    print(json.dumps({k: v for k, v in found.items() if k not in ("library", "cheats")}, indent=1))


if __name__ == "__main__":
    main()

"""Reliability and latency of the verdict.

    python -m benchmarks.verdict [--part cheats|honest|fidelity|latency|fuzz]... [--same 40]
                                [--subject NAME]...

Runs the corpora of cheats and honest candidates through the command line, measures references
against themselves and against known slowdowns, times whole verifications of a 1 ms kernel, and
plays mutated worker streams to the judge. Parts that are not run keep their stored figures, and
each says when and where it was measured. Writes results/verdict.json; a quiet machine is needed for
`fidelity` and `latency`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import fidelity, results_file
from kernelwright.batch.provenance import git_state
from kernelwright.schema import Level
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.environment import cpu_name
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.reference.reference import Reference
from tests.cheats.test_cheats import CHEATS
from tests.cheats.test_cheats import jobs as cheat_jobs
from tests.corpora import judged
from tests.fuzz.driver import fuzz as play
from tests.honest.test_honest import PAIRS, honest_jobs
from tests.verifier.kit import machine

Figures = dict[str, Any]
STREAMS = 100_000
SEED = 20_261_121
REPEATS = 10
KERNEL = "matmul_bias_gelu/library-default"
THREADS = os.cpu_count() or 1


def main() -> None:
    """Run the chosen parts and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", action="append", choices=list(PARTS))
    parser.add_argument("--same", type=int, default=40, help="runs of each task against itself")
    names = [subject.name for subject in fidelity.SUBJECTS]
    parser.add_argument("--subject", action="append", choices=names, help="of `fidelity` [all]")
    arguments = parser.parse_args()
    stored = results_file.RESULTS / "verdict.json"
    figures = json.loads(stored.read_text())["parts"] if stored.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in arguments.part or PARTS:
            start = time.monotonic()
            figures[name] = PARTS[name](Path(scratch), arguments, figures.get(name, {}))
            figures[name]["seconds"] = round(time.monotonic() - start)
            figures[name]["measured"] = measured_on()
            print(name, {k: v for k, v in figures[name].items() if k != "rows"}, flush=True)
            print(results_file.write("verdict", {"parts": figures}, THREADS))


def measured_on() -> dict[str, Any]:
    """Return date, commit and CPU of a part; parts of one file may come from several machines."""
    return {"date": time.strftime("%Y-%m-%d"), "commit": git_state()[0], "cpu": cpu_name()}


def cheats(scratch: Path, _arguments: argparse.Namespace, _stored: Figures) -> Figures:
    """Count the cheats that are refused, and those that are refused for the intended reason."""
    verdicts = judged(cheat_jobs(), scratch / "cheats")
    refused = [cheat for cheat in CHEATS if verdicts[cheat.path].get("accepted") is False]
    named = [cheat for cheat in refused if cheat.is_caught(verdicts[cheat.path])]
    missed = [cheat.path.name for cheat in CHEATS if cheat not in refused]
    return {
        "cheats": len(CHEATS),
        "refused": len(refused),
        "for_the_reason_meant": len(named),
        "missed": missed,
    }


def honest(scratch: Path, _arguments: argparse.Namespace, _stored: Figures) -> Figures:
    """List the honest candidates that are refused."""
    files, jobs = honest_jobs(scratch / "honest-files", PAIRS)
    verdicts = judged(jobs, scratch / "honest")
    refused = [files[path].name for path in files if not verdicts[path].get("accepted")]
    return {"pairs": len(PAIRS), "accepted": len(PAIRS) - len(refused), "refused": refused}


def trust(scratch: Path, arguments: argparse.Namespace, stored: Figures) -> Figures:
    """Measure the ratios of equal sides and of known slowdowns, at level `standard`."""
    subjects = arguments.subject or [subject.name for subject in fidelity.SUBJECTS]
    kept = [row for row in stored.get("rows", []) if row["task"] not in subjects]
    same, slower = arguments.same, arguments.same // 4
    cache = scratch / "cache"
    new = list(fidelity.measured(machine(THREADS), cache, "standard", same, slower, subjects))
    rows = kept + new
    return {"level": "standard", **fidelity.summary(rows), "rows": rows}


def latency(scratch: Path, _arguments: argparse.Namespace, _stored: Figures) -> Figures:
    """Measure the seconds of a whole verification of a built 1 ms kernel, with a warm reference."""
    task = load_task("matmul_bias_gelu")
    bench = tuple(w for w in task.workloads if w.role == "bench" and w.target != "cuda")
    task = task.model_copy(update={"workloads": bench})
    found: dict[str, Any] = {}
    with Reference.open(task, machine(THREADS)) as reference:
        judge = Judge(reference, scratch / "cache")
        kernel = next(pair.candidate for pair in PAIRS if pair.name == KERNEL)
        for level in LEVELS:
            durations = []
            for _ in range(REPEATS + 1):  # the first builds, and warms the reference up
                evaluation = judge.evaluate(kernel, level)
                assert evaluation.accepted, evaluation.reason
                durations.append(evaluation.duration_s)
            timing = evaluation.workloads[0].timing["candidate"]
            found[level] = {
                "median_s": round(statistics.median(durations[1:]), 2),
                "slowest_s": round(max(durations[1:]), 2),
                "kernel_us": round(timing.median_us, 1),
            }
    return found


def fuzz(_scratch: Path, _arguments: argparse.Namespace, _stored: Figures) -> Figures:
    """Play mutated worker streams to the judge and count the outcomes."""
    outcome = play(STREAMS, SEED)
    return {
        "streams": STREAMS,
        "seed": SEED,
        "faults": {status.value: count for status, count in outcome.faults.items()},
        "harmless": outcome.harmless,
        "crashes": len(outcome.of("crash")),
        "hangs": len(outcome.of("hang")),
        "acceptances": len(outcome.of("acceptance")),
    }


LEVELS: tuple[Level, ...] = ("fast", "standard")
PARTS: dict[str, Callable[[Path, argparse.Namespace, Figures], Figures]] = {
    "cheats": cheats,
    "honest": honest,
    "fuzz": fuzz,
    "latency": latency,
    "fidelity": trust,
}


if __name__ == "__main__":
    main()

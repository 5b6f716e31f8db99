"""The share of the best point's speed that tuning alone reaches, without a call of a model.

    python -m benchmarks.tuning [--tasks NAME]...

The first file of each of eight library tasks is right and badly tuned: a kernel of the library with
the slowest of many numbers, which declares the others. All points of a space are judged at `fast`;
the tuner chooses as in a search, and sees these speedups. What it ends with, what it began with and
the points that look fastest are then judged again, several times: shares are of these medians, so
that the luck of a measurement helps nothing. Writes results/tuning.json where all tasks are run, in
about a minute each; quiet machine needed: on a busy one points differ by less than their noise.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import results_file
from kernelwright.agents.known import tuned
from kernelwright.agents.offline.design import design
from kernelwright.agents.offline.emit import forward_arguments, library_candidate
from kernelwright.agents.offline.trace import trace
from kernelwright.agents.search.ranking import best_attempt, speedup_of
from kernelwright.agents.search.tuning import tuning_moves
from kernelwright.agents.tunables import Point, declared, tunables
from kernelwright.config import Settings
from kernelwright.sandbox.machine import Machine, open_machine
from kernelwright.schema import Attempt, Candidate, Evaluation, Move, Origin, Span
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.reference.reference import Reference

WANTED = 0.8
SEEDS = 5
AGAIN, FASTEST = 5, 4
"""Times that a point is judged again, and number of the points that look fastest."""
UNROLL = (1, 2, 4, 8)
THREADS = {"PARALLEL_FROM": (16384, 2**30)}
"""Elements from which more than one thread is used; no call has as many as the second number."""


class Subject(NamedTuple):
    """A library task, its kernel, and the values of the kernel's constants."""

    task: str
    kernel: str
    space: Mapping[str, tuple[int, ...]]


SUBJECTS = (
    Subject("attention", "attention", {"QUERIES": (6, 24, 96), "KEYS": (16, 64, 256), **THREADS}),
    Subject("cross_entropy", "cross_entropy", {"UNROLL": UNROLL, "CHUNK": (64, 4096), **THREADS}),
    Subject(
        "depthwise_conv",
        "depthwise_conv2d",
        {"ROWS": (1, 2, 4), "SCRATCH": (4096, 8192, 32768), **THREADS},
    ),
    Subject("layernorm", "layer_norm", {"UNROLL": UNROLL, "BLOCK": (64, 4096), **THREADS}),
    Subject(
        "matmul_bias_gelu",
        "linear_gelu",
        {"BLOCK_M": (3, 12, 48), "BLOCK_N": (4, 16, 64), **THREADS},
    ),
    Subject("rmsnorm_residual", "rms_norm", {"UNROLL": UNROLL, "BLOCK": (64, 4096), **THREADS}),
    Subject("softmax", "softmax", {"UNROLL": UNROLL, "BLOCK": (64, 4096), **THREADS}),
    Subject("topk", "topk", {"SLACK": (8, 32, 64, 128, 256, 512, 2048), **THREADS}),
)


def main() -> None:
    """Tune the first file of the chosen tasks; store the figures of all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [subject.task for subject in SUBJECTS]
    parser.add_argument("--tasks", action="append", choices=names, help="[all]")
    chosen = parser.parse_args().tasks or names
    rows = []
    settings = Settings(target="cpu")
    with open_machine(settings.machine) as machine, tempfile.TemporaryDirectory() as scratch:
        for subject in (one for one in SUBJECTS if one.task in chosen):
            rows.append(row(subject, machine, Path(scratch), settings.tune))
            print(json.dumps(rows[-1]), flush=True)
    figures = {
        "wanted": WANTED,
        "attempts": settings.tune,
        "seeds": SEEDS,
        "reached": f"{sum(one['share'] >= WANTED for one in rows)} of {len(rows)}",
        "least_share": min(one["share"] for one in rows),
        "tasks": rows,
    }
    if len(rows) == len(SUBJECTS):
        print(results_file.write("tuning", figures, os.cpu_count() or 1))


def row(subject: Subject, machine: Machine, cache: Path, most: int) -> dict[str, Any]:
    """Return the figures of one task: shares of the best point's speed."""
    task = load_task(subject.task)
    bench = tuple(w for w in task.workloads if w.role == "bench" and w.target != "cuda")
    task = task.model_copy(update={"workloads": bench})
    with Reference.open(task, machine) as reference:
        judge = Judge(reference, cache)
        files = points(subject, reference)
        seen = {point: judge.evaluate(made, "fast") for point, made in files.items()}
        speeds = {point: speedup_of(one) for point, one in seen.items()}
        slowest_first = sorted((p for p in seen if speeds[p]), key=lambda p: speeds[p] or 0.0)
        first = slowest_first[0]
        ends = [searched(files, seen, first, most, seed) for seed in range(SEEDS)]
        again = {
            point: statistics.median(
                speedup_of(judge.evaluate(files[point], "fast")) or 0.0 for _ in range(AGAIN)
            )
            for point in dict.fromkeys([first, *ends, *slowest_first[-FASTEST:]])
        }
    best = max(again.values())
    shares = [again[end] / best for end in ends]
    return {
        "task": subject.task,
        "points": len(files),
        "right": len(slowest_first),
        "first_share": round(again[first] / best, 3),
        "share": round(statistics.median(shares), 3),
        "least_share": round(min(shares), 3),
    }


def points(subject: Subject, reference: Reference) -> dict[Point, Candidate]:
    """Return the file of every point of a task's space."""
    source = reference.task.source
    graph, arguments = trace(reference, print), forward_arguments(source)
    assert graph is not None and arguments is not None
    numbers = {f"{subject.kernel}.{name}": values[-1] for name, values in subject.space.items()}
    text = library_candidate(source, "Tuned.", design(graph, arguments), numbers)
    for name, values in subject.space.items():
        text = declared(text, name, values)
    found = tunables(text)
    assert {one.name for one in found} == subject.space.keys()
    first = Candidate(source=text, backend="cpp", origin=Origin(kind="offline"))
    every = itertools.product(*([(one.name, value) for value in one.values] for one in found))
    return {point: tuned(first, point) for point in every}


def searched(
    files: Mapping[Point, Candidate],
    seen: Mapping[Point, Evaluation],
    first: Point,
    most: int,
    seed: int,
) -> Point:
    """Return the point that looks fastest once the tuner has ended."""
    tried = [first]
    history = [_attempt(0, Move(), files[first], seen[first])]
    while moves := tuning_moves(history, 1, most, seed):
        point = moves[0].point
        history.append(_attempt(len(tried), moves[0], files[point], seen[point]))
        tried.append(point)
    best = best_attempt(history)
    assert best is not None
    return tried[best.index]


def _attempt(index: int, move: Move, candidate: Candidate, found: Evaluation) -> Attempt:
    return Attempt(
        run_id="tuning",
        task_id="tuning",
        index=index,
        move=move,
        candidate=candidate,
        evaluation=found,
        span=Span.since(time.time()),
    )


if __name__ == "__main__":
    main()

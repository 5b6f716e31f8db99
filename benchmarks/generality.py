"""Proposals of `offline` for tasks of others, and what comes of them: parts of two benchmarks.

Proposals are counted by tracing alone: a task is built and exported on the meta device, where no
value is computed and no memory taken, and its graph is covered with kernels. Speed is that of whole
runs of `kernelwright optimize`, by this code and by that of another checkout in turns.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from kernelwright.agents.offline.design import NotCoveredError, design
from kernelwright.agents.offline.emit import forward_arguments
from kernelwright.agents.offline.graph import Graph
from kernelwright.schema import Size
from kernelwright.syntax import parse
from kernelwright.tasks.constants import constants, replace_constants
from kernelwright.verifier.inside.export_graph import described, exported, scalars

ROOT = Path(__file__).resolve().parents[1]
LEAST_SIZE = 16
Row = dict[str, Any]
# Others' code raises what it likes.
FAILURES = (Exception,)


def proposal(source: str) -> Row:
    """Return which kernels would compute a task's module, or why none would."""
    try:
        with torch.device("meta"), torch.no_grad():
            names = executed(source)
            model, inputs = names["Model"](*names["get_init_inputs"]()), names["get_inputs"]()
            program = exported(model, tuple(inputs))
            graph = Graph({**described(program, model), "scalars": scalars(model)})
        arguments = forward_arguments(source)
        if arguments is None:
            return {"proposed": False, "why": "its forward is inherited"}
        plan = design(graph, arguments)
    except NotCoveredError as error:
        return {"proposed": False, "why": str(error)}
    except FAILURES as error:
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        return {"proposed": False, "why": f"not traced: {line[:160]}"}
    generated = [part.name.partition("_")[0] for part in plan.parts]
    return {"proposed": True, "kernels": [*plan.kernels, *sorted(set(generated))]}


def executed(source: str) -> dict[str, Any]:
    """Return the names of a task's file."""
    names: dict[str, Any] = {"__name__": "task"}
    exec(compile(source, "task", "exec"), names)
    return names


def share(rows: Sequence[Row]) -> str:
    """Return how many rows have a proposal."""
    return f"{sum(row['proposed'] for row in rows)} of {len(rows)}"


def fitted(source: str, most_bytes: int) -> dict[str, Size]:
    """Return constants that bring a task below so many bytes of inputs, outputs and parameters.

    The constant that saves most is halved, again and again.
    """
    found: dict[str, int] = {}
    while (now := taken(replace_constants(source, found))) > most_bytes:
        given = {c.name: c.literal for c in constants(parse(replace_constants(source, found)))}
        options = {}
        for name, value in given.items():
            if type(value) is int and value >= 2 * LEAST_SIZE:
                one = {**found, name: value // 2}
                options[name] = taken(replace_constants(source, one)), one
        if not options or min(options.values(), key=lambda o: o[0])[0] >= now:
            break
        found = min(options.values(), key=lambda option: option[0])[1]
    return dict(found)


def taken(source: str) -> float:
    """Return the bytes of a task's inputs, outputs and parameters; infinite where it fails."""
    try:
        with torch.device("meta"), torch.no_grad():
            names = executed(source)
            model, inputs = names["Model"](*names["get_init_inputs"]()), names["get_inputs"]()
            leaves = torch.utils._pytree.tree_leaves([inputs, model(*inputs)])
    except FAILURES:
        return math.inf
    tensors = [*(leaf for leaf in leaves if isinstance(leaf, torch.Tensor)), *model.parameters()]
    return float(sum(tensor.nbytes for tensor in tensors))


def optimized(
    checkout: Path, task: Path, sizes: Mapping[str, Size], attempts: int, python: str
) -> Row:
    """Return the answer of one run of `kernelwright optimize` with a checkout's code."""
    with tempfile.TemporaryDirectory() as scratch:
        settings = [f"--set={name}={value}" for name, value in sizes.items()]
        command = [python, "-m", "kernelwright", "optimize", str(task), *settings, "--json"]
        command += ["-n", str(attempts), "--out", f"{scratch}/out", "--store", f"{scratch}/db"]
        start = time.monotonic()
        done = subprocess.run(
            command,
            cwd=scratch,
            env={
                **os.environ,
                "PYTHONPATH": str(checkout / "src"),
                "KERNELWRIGHT_CACHE_DIR": f"{scratch}/cache",
                "TORCHINDUCTOR_CACHE_DIR": f"{scratch}/inductor",
            },
            capture_output=True,
            text=True,
        )
        seconds = round(time.monotonic() - start, 1)
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        return {"status": "failed", "seconds": seconds, "error": done.stderr.strip()[-300:]}
    verdict, candidate = answer.get("verdict") or {}, answer.get("candidate") or {}
    return {
        "status": answer["status"],
        "seconds": seconds,
        "backend": candidate.get("backend"),
        "speedup": {name: s for name, s in (verdict.get("speedup") or {}).items() if s},
    }


def measure_speed(
    part: Row,
    tasks: Iterable[tuple[Path, Mapping[str, Size]]],
    other: Path | None,
    keep: Callable[[], None],
) -> None:
    """Optimize each task with this code and another checkout's, and add the summaries.

    Args:
        part: `attempts` of each run, and `rows`; a task that is among these is not measured again.
        other: the other checkout; None: this code alone.
        keep: called after each task, and in the end.
    """
    columns, rows, attempts = checkouts(other), part["rows"], part["attempts"]
    known = {row["task"] for row in rows}
    for task, sizes in tasks:
        name = f"{task.parent.name}/{task.stem}"
        if name in known:
            continue
        found = {
            which: optimized(folder, task, sizes, attempts, python)
            for which, (folder, python) in columns.items()
        }
        rows.append({"task": name, "sizes": dict(sizes), **found})
        print(json.dumps(rows[-1]), flush=True)
        keep()
    part["summary"] = {which: summary(rows, which) for which in columns}
    keep()


def summary(rows: Sequence[Row], which: str) -> Row:
    """Return wins over eager and over the faster of eager and torch.compile, and their means.

    A task without a win counts as 1 in a mean. Over both: the lesser of the two ratios.
    """
    eager, both = [], []
    for row in rows:
        ratios = row[which].get("speedup") or {}
        won = row[which]["status"] == "improved"
        over_eager = ratios.get("eager", {}).get("median", 1.0) if won else 1.0
        over_compile = ratios.get("compile", {}).get("median", over_eager) if won else 1.0
        eager.append(over_eager)
        both.append(max(1.0, min(over_eager, over_compile)))
    return {
        "tasks": len(rows),
        "faster_than_eager": sum(row[which]["status"] == "improved" for row in rows),
        "faster_than_both": sum(
            row[which]["status"] == "improved"
            and all(s["ci95"][0] > 1 for s in row[which]["speedup"].values())
            for row in rows
        ),
        "geometric_mean_over_eager": round(mean(eager), 3),
        "geometric_mean_over_both": round(mean(both), 3),
        "seconds": round(sum(row[which]["seconds"] for row in rows)),
    }


def mean(ratios: Sequence[float]) -> float:
    """Return the geometric mean; 1 without any."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else 1.0


def checkouts(other: Path | None) -> dict[str, tuple[Path, str]]:
    """Return this checkout, and another one with the interpreter of its .venv."""
    found = {"this": (ROOT, sys.executable)}
    if other is not None:
        found["other"] = other.resolve(), str(other.resolve() / ".venv" / "bin" / "python")
    return found
